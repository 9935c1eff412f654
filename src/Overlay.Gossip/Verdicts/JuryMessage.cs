using System.Buffers;
using Overlay.Gossip.Tables;

namespace Overlay.Gossip.Verdicts;

/// <summary>
/// A request to look at a member, or what was found. Carried by a user message: 'J', the format's version, the kind,
/// then sender and subject with their length in front, and the incarnation, a LEB128 number.
/// </summary>
/// <param name="Finding">Null: a request.</param>
internal sealed record JuryMessage(string Sender, string Subject, uint Incarnation, Finding? Finding)
{
    private const byte Magic = (byte)'J';
    private const byte FormatVersion = 1;
    private const byte Request = 0xff;

    public static bool IsOurs(ReadOnlySpan<byte> payload) => payload is [Magic, FormatVersion, ..];

    public static bool TryRead(ReadOnlySpan<byte> payload, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out JuryMessage? message)
    {
        message = null;
        TableReader reader = new(payload is [Magic, FormatVersion, ..] ? payload[2..] : []);
        if (!reader.TryReadByte(out byte kind)
            || !reader.TryReadText(TableCodec.MaxTextBytes, out string? sender)
            || !reader.TryReadText(TableCodec.MaxTextBytes, out string? subject)
            || !reader.TryReadNumber(out ulong incarnation)
            || !reader.IsAtEnd || incarnation > uint.MaxValue || sender.Length == 0 || subject.Length == 0
            || kind is > (byte)Verdicts.Finding.Silent and not Request)
        {
            return false;
        }

        message = new(sender, subject, (uint)incarnation, kind == Request ? null : (Finding)kind);
        return true;
    }

    public byte[] Write()
    {
        ArrayBufferWriter<byte> bytes = new(64);
        bytes.Write([Magic, FormatVersion, Finding is { } finding ? (byte)finding : Request]);
        TableCodec.WriteText(bytes, Sender);
        TableCodec.WriteText(bytes, Subject);
        TableCodec.WriteNumber(bytes, Incarnation);
        return bytes.WrittenSpan.ToArray();
    }
}
