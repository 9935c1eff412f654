namespace Overlay.Raft.Consensus;

/// <summary>The window of Appends to one member that are not acknowledged: bounded in count and in bytes.</summary>
internal sealed class Inflight(int maxMessages, long maxBytes)
{
    private readonly StructQueue<(ulong Last, long Bytes)> messages = new();
    private long bytes;

    public int Count => messages.Count;

    public bool IsFull => messages.Count >= maxMessages || bytes >= maxBytes;

    /// <param name="last">The last entry of the message.</param>
    public void Add(ulong last, long size)
    {
        messages.Enqueue((last, size));
        bytes += size;
    }

    /// <summary>Everything up to the entry has arrived.</summary>
    public void FreeTo(ulong index)
    {
        while (messages.Count > 0 && messages[0].Last <= index)
        {
            bytes -= messages.Dequeue().Bytes;
        }
    }

    public void Clear()
    {
        messages.Clear();
        bytes = 0;
    }
}
