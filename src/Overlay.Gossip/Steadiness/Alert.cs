using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using Overlay.Gossip.Tables;

namespace Overlay.Gossip.Steadiness;

/// <summary>
/// One observer's word on whether a member can be reached steadily, passed on by all. Carried by a user message: 'U', the
/// format's version, the kind, then observer and subject, each its name with the length in front and its life, and the
/// number; numbers are LEB128.
/// </summary>
/// <param name="ObserverLife">Of the life that counts the number.</param>
/// <param name="Number">Grows with each alert of this life of the observer, so that none counts twice.</param>
internal sealed record Alert(
    string Observer, ushort ObserverLife, ulong Number, string Subject, ushort SubjectLife, AlertKind Kind)
{
    private const byte Magic = (byte)'U';
    private const byte FormatVersion = 2;

    public static bool IsOurs(ReadOnlySpan<byte> payload) => payload is [Magic, FormatVersion, ..];

    public static bool TryRead(ReadOnlySpan<byte> payload, [NotNullWhen(true)] out Alert? alert)
    {
        alert = null;
        TableReader reader = new(payload is [Magic, FormatVersion, ..] ? payload[2..] : []);
        if (!reader.TryReadByte(out byte kind)
            || !reader.TryReadText(TableCodec.MaxTextBytes, out string? observer)
            || !reader.TryReadNumber(out ulong observerLife)
            || !reader.TryReadNumber(out ulong number)
            || !reader.TryReadText(TableCodec.MaxTextBytes, out string? subject)
            || !reader.TryReadNumber(out ulong subjectLife)
            || !reader.IsAtEnd || observer.Length == 0 || subject.Length == 0
            || observerLife > ushort.MaxValue || subjectLife > ushort.MaxValue || kind > (byte)AlertKind.Steady)
        {
            return false;
        }

        alert = new(observer, (ushort)observerLife, number, subject, (ushort)subjectLife, (AlertKind)kind);
        return true;
    }

    public byte[] Write()
    {
        ArrayBufferWriter<byte> bytes = new(64);
        bytes.Write([Magic, FormatVersion, (byte)Kind]);
        TableCodec.WriteText(bytes, Observer);
        TableCodec.WriteNumber(bytes, ObserverLife);
        TableCodec.WriteNumber(bytes, Number);
        TableCodec.WriteText(bytes, Subject);
        TableCodec.WriteNumber(bytes, SubjectLife);
        return bytes.WrittenSpan.ToArray();
    }
}
