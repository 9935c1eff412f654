using System.Buffers;
using Overlay.Raft.Secrecy;

namespace Overlay.Raft.Repair;

/// <summary>
/// A segment's bytes made anew, with entries that were got back. An entry that is still damaged keeps its place: its
/// identifier is there, if its term is known, and its record is not.
/// </summary>
public static class SegmentImage
{
    /// <param name="header">With a new salt.</param>
    /// <param name="entries">From the first index on, without gaps.</param>
    /// <param name="isWhole">For each of them.</param>
    /// <param name="isClosed">It has a successor.</param>
    /// <param name="cipher">Of the header; null: in the clear.</param>
    public static ReadOnlyMemory<byte> Of(
        SegmentFormat.Header header, IReadOnlyList<LogEntry> entries, IReadOnlyList<bool> isWhole, bool isClosed,
        SegmentCipher? cipher = null)
    {
        ArrayBufferWriter<byte> bytes = new(SegmentFormat.EntriesOffset + entries.Sum(static e => SegmentFormat.RecordBytes(e.Data.Length)));
        byte[] start = new byte[SegmentFormat.EntriesOffset];
        SegmentFormat.WriteHeader(start, header);
        SegmentFormat.WriteHeader(start.AsSpan(SegmentFormat.HeaderCopyOffset), header);
        int at = start.Length;
        for (int slot = 0; slot < entries.Count; slot++)
        {
            LogEntry entry = entries[slot];
            int length = LengthOf(entry, isWhole[slot], cipher);
            if (isWhole[slot] || entry.Term > 0)
            {
                SegmentFormat.WriteIdentifier(
                    start.AsSpan(SegmentFormat.IdentifiersOffset + (slot * SegmentFormat.IdentifierBytes)),
                    new(entry.Index, entry.Term, (uint)at, (uint)length, entry.Kind), header.Salt);
            }

            at += SegmentFormat.RecordBytes(length);
        }

        if (isClosed)
        {
            SegmentFormat.WriteSeal(start.AsSpan(SegmentFormat.SealOffset), header.FirstIndex + (ulong)entries.Count - 1, header.Salt);
        }

        bytes.Write(start);
        for (int slot = 0; slot < entries.Count; slot++)
        {
            LogEntry entry = entries[slot];
            int dataLength = LengthOf(entry, isWhole[slot], cipher);
            int length = SegmentFormat.RecordBytes(dataLength);
            if (cipher is not null && isWhole[slot])
            {
                byte[] closed = new byte[dataLength];
                cipher.Seal(entry, bytes.WrittenCount, closed);
                entry = entry with { Data = closed };
            }

            Span<byte> span = bytes.GetSpan(length)[..length];
            span.Clear();
            if (isWhole[slot])
            {
                SegmentFormat.WriteRecord(span, entry, 0, header.Salt);
            }

            bytes.Advance(length);
        }

        return bytes.WrittenMemory;
    }

    private static int LengthOf(in LogEntry entry, bool isWhole, SegmentCipher? cipher) =>
        !isWhole ? 0 : cipher is null ? entry.Data.Length : SegmentCipher.BytesOf(entry.Data.Length);
}
