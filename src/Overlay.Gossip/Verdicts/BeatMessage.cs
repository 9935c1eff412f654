using System.Buffers.Binary;

namespace Overlay.Gossip.Verdicts;

/// <summary>What a <see cref="BeatMessage"/> is for.</summary>
internal enum BeatKind : byte
{
    /// <summary>The sender is there; no answer.</summary>
    Sign = 0,

    /// <summary>Whoever gets it answers.</summary>
    Question = 1,

    Answer = 2,
}

/// <summary>
/// What the two ends of a session say to each other on the port of gossip, as short as it can be, because it is said all
/// the time. Carried by a user message: 'H', the format's version, the kind, the hash of the sender's name in eight
/// bytes, and the question's number in four where there is one.
/// </summary>
internal readonly record struct BeatMessage(BeatKind Kind, ulong Sender, uint Number)
{
    public const int MaxBytes = 15;

    private const byte Magic = (byte)'H';
    private const byte FormatVersion = 1;
    private const int SignBytes = 11;

    public static bool IsOurs(ReadOnlySpan<byte> payload) => payload is [Magic, FormatVersion, ..];

    public static bool TryRead(ReadOnlySpan<byte> payload, out BeatMessage beat)
    {
        beat = default;
        if (payload is not [Magic, FormatVersion, <= (byte)BeatKind.Answer, ..]
            || payload.Length != (payload[2] == (byte)BeatKind.Sign ? SignBytes : MaxBytes))
        {
            return false;
        }

        beat = new(
            (BeatKind)payload[2], BinaryPrimitives.ReadUInt64BigEndian(payload[3..]),
            payload.Length == MaxBytes ? BinaryPrimitives.ReadUInt32BigEndian(payload[SignBytes..]) : 0);
        return true;
    }

    /// <returns>What of the memory it takes.</returns>
    public ReadOnlySpan<byte> Write(Span<byte> memory)
    {
        (memory[0], memory[1], memory[2]) = (Magic, FormatVersion, (byte)Kind);
        BinaryPrimitives.WriteUInt64BigEndian(memory[3..], Sender);
        if (Kind == BeatKind.Sign)
        {
            return memory[..SignBytes];
        }

        BinaryPrimitives.WriteUInt32BigEndian(memory[SignBytes..], Number);
        return memory[..MaxBytes];
    }
}
