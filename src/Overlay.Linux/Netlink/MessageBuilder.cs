using System.Net;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Overlay.Linux.Native;
using Overlay.Primitives;

namespace Overlay.Linux.Netlink;

/// <summary>
/// Writes netlink messages one after the other into one buffer, so that one system call sends them all. Message i
/// has sequence number <see cref="FirstSequence"/> + i. Only requests of our own making go through here.
/// </summary>
internal sealed class MessageBuilder
{
    private byte[] buffer = new byte[4096];
    private int messageStart = -1;
    private int lastStart;

    public uint FirstSequence { get; private set; }

    /// <summary>Finished messages.</summary>
    public int Count { get; private set; }

    public int Length { get; private set; }

    public ReadOnlySpan<byte> Written => buffer.AsSpan(0, Length);

    public void Clear(uint firstSequence)
    {
        FirstSequence = firstSequence;
        Count = 0;
        Length = 0;
        messageStart = -1;
    }

    public void Begin<THeader>(ushort type, ushort flags, in THeader header)
        where THeader : unmanaged
    {
        Invariant.Holds(messageStart < 0, "the previous message is finished");
        messageStart = Length;
        NlMsgHdr netlink = new()
        {
            Type = type,
            Flags = (ushort)(flags | NetlinkConstants.Request),
            Sequence = FirstSequence + (uint)Count,
        };
        MemoryMarshal.Write(Grow(NetlinkConstants.HeaderSize), in netlink);
        MemoryMarshal.Write(Grow(Unsafe.SizeOf<THeader>()), in header);
    }

    public void End()
    {
        Invariant.Holds(messageStart >= 0, "a message is begun");
        uint length = (uint)(Length - messageStart);
        MemoryMarshal.Write(buffer.AsSpan(messageStart), in length);
        lastStart = messageStart;
        messageStart = -1;
        Count++;
    }

    /// <summary>
    /// Asks for an acknowledgement of the last message only: the kernel works through a batch in order and reports
    /// every failure unasked, so that this one reply tells that all others are done.
    /// </summary>
    public void AcknowledgeLast()
    {
        Invariant.Holds(messageStart < 0 && Count > 0, "there is a finished message");
        Span<byte> flags = buffer.AsSpan(lastStart + 6, 2);
        ushort value = (ushort)(MemoryMarshal.Read<ushort>(flags) | NetlinkConstants.Ack);
        MemoryMarshal.Write(flags, in value);
    }

    public void Put(ushort type, ReadOnlySpan<byte> value)
    {
        Invariant.Holds(value.Length <= ushort.MaxValue - NetlinkConstants.AttributeHeaderSize, "an attribute fits");
        Span<byte> target = Grow(NetlinkConstants.AttributeHeaderSize + value.Length);
        ushort length = (ushort)(NetlinkConstants.AttributeHeaderSize + value.Length);
        MemoryMarshal.Write(target, in length);
        MemoryMarshal.Write(target[2..], in type);
        value.CopyTo(target[4..]);
    }

    public void Put(ushort type, byte value) => Put(type, [value]);

    public void Put(ushort type, bool value) => Put(type, value ? (byte)1 : (byte)0);

    public void Put(ushort type, uint value) => Put(type, MemoryMarshal.AsBytes(new ReadOnlySpan<uint>(in value)));

    public void Put(ushort type, int value) => Put(type, (uint)value);

    /// <summary>In network byte order.</summary>
    public void PutPort(ushort type, int port) => Put(type, [(byte)(port >> 8), (byte)port]);

    /// <summary>UTF-8, ended by a zero byte.</summary>
    public void Put(ushort type, string value)
    {
        byte[] bytes = new byte[Encoding.UTF8.GetByteCount(value) + 1];
        Encoding.UTF8.GetBytes(value, bytes);
        Put(type, bytes);
    }

    public void Put(ushort type, IPAddress value)
    {
        Span<byte> bytes = stackalloc byte[16];
        Invariant.Holds(value.TryWriteBytes(bytes, out int length), "an address has at most 16 bytes");
        Put(type, bytes[..length]);
    }

    public void Put(ushort type, MacAddress value)
    {
        Span<byte> bytes = stackalloc byte[6];
        value.WriteTo(bytes);
        Put(type, bytes);
    }

    /// <summary>Opens an attribute that holds others; give the result to <see cref="EndNest"/>.</summary>
    public int BeginNest(ushort type)
    {
        int mark = Length;
        Put(type, default(ReadOnlySpan<byte>));
        return mark;
    }

    /// <summary>Opens an attribute that holds a fixed structure and then others.</summary>
    public int BeginNest<THeader>(ushort type, in THeader header)
        where THeader : unmanaged
    {
        int mark = BeginNest(type);
        MemoryMarshal.Write(Grow(Unsafe.SizeOf<THeader>()), in header);
        return mark;
    }

    public void EndNest(int mark)
    {
        int length = Length - mark;
        Invariant.Holds(length is >= NetlinkConstants.AttributeHeaderSize and <= ushort.MaxValue, "a nest fits");
        ushort value = (ushort)length;
        MemoryMarshal.Write(buffer.AsSpan(mark), in value);
    }

    /// <summary>Zeroed room at the end, aligned to four bytes.</summary>
    private Span<byte> Grow(int size)
    {
        int aligned = NetlinkConstants.Align(size);
        if (Length + aligned > buffer.Length)
        {
            Array.Resize(ref buffer, Math.Max(buffer.Length * 2, Length + aligned));
        }

        Span<byte> room = buffer.AsSpan(Length, aligned);
        room.Clear();
        Length += aligned;
        return room[..size];
    }
}
