using Overlay.Gossip.Tables;

namespace Overlay.Gossip.Verdicts;

/// <summary>
/// A request to look at a member, or what was found. Carried by a user message: 'J', the format's version, the kind,
/// then sender and subject with their length in front, and the incarnation, a LEB128 number.
/// </summary>
internal readonly ref struct JuryMessage
{
    public const int MaxBytes = 3 + (2 * (TableCodec.MaxTextBytes + 5)) + 10;

    private const byte Magic = (byte)'J';
    private const byte FormatVersion = 1;
    private const byte Request = 0xff;

    public ReadOnlySpan<byte> Sender { get; init; }

    public ReadOnlySpan<byte> Subject { get; init; }

    public uint Incarnation { get; init; }

    /// <summary>Null: a request.</summary>
    public Finding? Finding { get; init; }

    public static bool IsOurs(ReadOnlySpan<byte> payload) => payload is [Magic, FormatVersion, ..];

    /// <summary>The names lie in the payload.</summary>
    public static bool TryRead(ReadOnlySpan<byte> payload, out JuryMessage message)
    {
        message = default;
        TableReader reader = new(payload is [Magic, FormatVersion, ..] ? payload[2..] : []);
        if (!reader.TryReadByte(out byte kind)
            || !reader.TryReadUtf8(TableCodec.MaxTextBytes, out ReadOnlySpan<byte> sender)
            || !reader.TryReadUtf8(TableCodec.MaxTextBytes, out ReadOnlySpan<byte> subject)
            || !reader.TryReadNumber(out ulong incarnation)
            || !reader.IsAtEnd || incarnation > uint.MaxValue || sender.Length == 0 || subject.Length == 0
            || kind is > (byte)Verdicts.Finding.Silent and not Request)
        {
            return false;
        }

        message = new()
        {
            Sender = sender,
            Subject = subject,
            Incarnation = (uint)incarnation,
            Finding = kind == Request ? null : (Finding)kind,
        };
        return true;
    }

    /// <returns>What of the memory it takes.</returns>
    public ReadOnlySpan<byte> Write(Span<byte> memory)
    {
        (memory[0], memory[1], memory[2]) = (Magic, FormatVersion, Finding is { } finding ? (byte)finding : Request);
        int at = 3;
        Append(Sender, memory, ref at);
        Append(Subject, memory, ref at);
        AppendNumber(Incarnation, memory, ref at);
        return memory[..at];
    }

    private static void Append(ReadOnlySpan<byte> text, Span<byte> memory, ref int at)
    {
        AppendNumber((ulong)text.Length, memory, ref at);
        text.CopyTo(memory[at..]);
        at += text.Length;
    }

    private static void AppendNumber(ulong value, Span<byte> memory, ref int at)
    {
        for (; value > 0x7f; value >>= 7)
        {
            memory[at++] = (byte)(value | 0x80);
        }

        memory[at++] = (byte)value;
    }
}
