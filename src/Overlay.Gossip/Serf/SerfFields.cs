namespace Overlay.Gossip.Serf;

/// <summary>What one of serf's messages says, where it lies in its packet; which of it counts is a matter of the type.</summary>
internal ref struct SerfFields
{
    public SerfType Type;
    public ulong Time;
    public ReadOnlySpan<byte> Node;
    public ReadOnlySpan<byte> Name;
    public ReadOnlySpan<byte> From;
    public ReadOnlySpan<byte> SourceNode;
    public ReadOnlySpan<byte> Payload;
    public ReadOnlySpan<byte> Address;

    /// <summary>An array of byte strings, its header included; empty: none.</summary>
    public ReadOnlySpan<byte> Filters;
    public ReadOnlySpan<byte> Key;
    public bool Coalesce;
    public bool Prune;
    public uint Id;
    public ushort Port;
    public uint Flags;
    public uint RelayFactor;
    public ulong Timeout;
}
