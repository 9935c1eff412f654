using System.Buffers;

namespace Overlay.Tests.Daemon.Storage;

/// <summary>A file's bytes. Segments begin with a mebibyte, so thousands of copies are taken from a pool.</summary>
/// <param name="bytes">Not changed: the first write makes a copy.</param>
internal sealed class ModelBytes(ReadOnlyMemory<byte> bytes)
{
    private byte[] array = [];
    private bool shared = true;

    public ReadOnlyMemory<byte> Memory { get; private set; } = bytes;

    public void Write(int offset, ReadOnlySpan<byte> written)
    {
        Own(Math.Max(Memory.Length, offset + written.Length));
        written.CopyTo(array.AsSpan(offset));
    }

    public void SetLength(int length) => Own(length);

    /// <summary>Nobody may read <see cref="Memory"/> any more.</summary>
    public void Release()
    {
        if (!shared)
        {
            ArrayPool<byte>.Shared.Return(array);
        }

        array = [];
        Memory = default;
        shared = true;
    }

    private void Own(int length)
    {
        int kept = Math.Min(length, Memory.Length);
        if (shared || array.Length < length)
        {
            byte[] larger = ArrayPool<byte>.Shared.Rent(length);
            Memory.Span[..kept].CopyTo(larger);
            if (!shared)
            {
                ArrayPool<byte>.Shared.Return(array);
            }

            array = larger;
            shared = false;
        }

        array.AsSpan(kept, length - kept).Clear();
        Memory = array.AsMemory(0, length);
    }
}
