using System.Buffers.Binary;
using Overlay.Primitives;

namespace Overlay.Raft;

/// <summary>
/// The layout of a log segment: a header, a region of identifiers, and far from it the entries
/// (protocol-aware recovery, Alagappan et al., FAST '18). An entry's identifier is written only after the entry is
/// durable. So an entry that does not validate but has an identifier was once whole: corruption. One without an
/// identifier and with nothing of a later batch behind it is a write that never finished: a torn tail.
/// A segment that has a successor is sealed with its last index, so that the successor cannot vanish unnoticed.
/// A successor may begin before the last entry of the one before: its entries are those that count, and nothing that
/// is durable is ever written over.
/// </summary>
public static class SegmentFormat
{
    public const int HeaderBytes = 72;

    /// <summary>Half a page behind the header: a sector of its own.</summary>
    public const int SealOffset = 2048;
    public const int SealBytes = 24;
    public const int IdentifiersOffset = 4096;
    public const int IdentifierBytes = 32;
    public const int MaxEntries = 16384;

    /// <summary>The header a second time, between identifiers and entries.</summary>
    public const int HeaderCopyOffset = EntriesOffset - 4096;

    /// <summary>A mebibyte into the file: no sector or stripe holds both an entry and its identifier.</summary>
    public const int EntriesOffset = 1 << 20;
    public const int RecordHeaderBytes = 32;
    public const int MaxEntryBytes = 64 << 20;

    /// <summary>Records that begin before this size may end behind it; see <see cref="MaxFileBytes"/>.</summary>
    public const int FullBytes = 16 << 20;

    /// <summary>The longest file that is read: full to the last byte, and then one batch of a single entry.</summary>
    public const int MaxFileBytes = FullBytes + RecordHeaderBytes + MaxEntryBytes + 8;
    private const ulong Magic = 0x31474F4C_44564F; // "OVDLOG1" read as little-endian text
    private const uint Version = 3;

    /// <summary>One manager's log: term 1, no kinds of entries, one copy of a shorter header. Read, never written.</summary>
    private const uint SingleVersion = 2;
    private const int SingleChecksumOffset = 44;
    private const ulong SealMagic = 0x4C414553_44564F; // "OVDSEAL"

    /// <summary>Identity of a segment.</summary>
    /// <param name="Salt">Random; part of every checksum, so that a recycled block never validates.</param>
    /// <param name="PreviousTerm">Of the entry before the first; 0: there is none, or it is not known.</param>
    /// <param name="Member">Whose log it is; none: one manager's alone.</param>
    /// <param name="Key">Number of the data key; 0: the entries are in the clear.</param>
    /// <param name="IsSingle">Of the version that one manager alone wrote.</param>
    public readonly record struct Header(
        ulong Id, ulong FirstIndex, ulong Salt, ulong PreviousTerm = 0, MemberId Member = default, ulong Key = 0, bool IsSingle = false);

    public readonly record struct Identifier(ulong Index, ulong Term, uint Offset, uint Length, EntryKind Kind);

    /// <summary>
    /// magic 8, version 4, id 8, first index 8, salt 8, term of the entry before 8, member 8, data key 8, 8 zero, CRC-32C 4.
    /// </summary>
    public static void WriteHeader(Span<byte> bytes, Header header)
    {
        bytes[..HeaderBytes].Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, Magic);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[8..], Version);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[12..], header.Id);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[20..], header.FirstIndex);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[28..], header.Salt);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[36..], header.PreviousTerm);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[44..], header.Member.Value);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[52..], header.Key);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[68..], Crc32C.Of(bytes[..68]));
    }

    /// <summary>The header at the start of the file, or its copy.</summary>
    public static bool TryReadHeader(ReadOnlySpan<byte> file, out Header header) =>
        TryReadHeaderCopy(file, out header)
        || (file.Length > HeaderCopyOffset && TryReadHeaderCopy(file[HeaderCopyOffset..], out header));

    /// <summary>The header that these bytes begin with.</summary>
    public static bool TryReadHeaderCopy(ReadOnlySpan<byte> bytes, out Header header)
    {
        header = default;
        if (bytes.Length < HeaderBytes || BinaryPrimitives.ReadUInt64LittleEndian(bytes) != Magic)
        {
            return false;
        }

        uint version = BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]);
        int end = version == SingleVersion ? SingleChecksumOffset : HeaderBytes - sizeof(uint);
        if (version is not (Version or SingleVersion)
            || BinaryPrimitives.ReadUInt32LittleEndian(bytes[end..]) != Crc32C.Of(bytes[..end]))
        {
            return false;
        }

        header = new(
            BinaryPrimitives.ReadUInt64LittleEndian(bytes[12..]), BinaryPrimitives.ReadUInt64LittleEndian(bytes[20..]),
            BinaryPrimitives.ReadUInt64LittleEndian(bytes[28..]));
        header = version == SingleVersion
            ? header with { IsSingle = true }
            : header with
            {
                PreviousTerm = BinaryPrimitives.ReadUInt64LittleEndian(bytes[36..]),
                Member = new(BinaryPrimitives.ReadUInt64LittleEndian(bytes[44..])),
                Key = BinaryPrimitives.ReadUInt64LittleEndian(bytes[52..]),
            };
        return header.FirstIndex > 0;
    }

    /// <summary>magic 8, last index 8, 4 zero, CRC-32C 4 over them and the salt.</summary>
    public static void WriteSeal(Span<byte> bytes, ulong lastIndex, ulong salt)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, SealMagic);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[8..], lastIndex);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[16..], 0);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[20..], Crc32C.Of(bytes[..20], salt));
    }

    public static bool TryReadSeal(ReadOnlySpan<byte> bytes, ulong salt, out ulong lastIndex)
    {
        bool valid = bytes.Length >= SealBytes && BinaryPrimitives.ReadUInt64LittleEndian(bytes) == SealMagic
            && BinaryPrimitives.ReadUInt32LittleEndian(bytes[20..]) == Crc32C.Of(bytes[..20], salt);
        lastIndex = valid ? BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]) : 0;
        return valid;
    }

    /// <summary>Bytes of a record on disk: header and data, padded to 8.</summary>
    public static int RecordBytes(int dataLength) => (RecordHeaderBytes + dataLength + 7) & ~7;

    /// <summary>
    /// index 8, term 8, length 4, place in its batch 4, kind 1, 3 zero, CRC-32C 4 over these, the data and the salt.
    /// </summary>
    /// <param name="place">0 and up among the entries that one sync makes durable.</param>
    public static int WriteRecord(Span<byte> bytes, in LogEntry entry, int place, ulong salt)
    {
        Invariant.Holds(entry.Data.Length <= MaxEntryBytes, "an entry is within its limit");
        int length = RecordBytes(entry.Data.Length);
        bytes[..length].Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, entry.Index);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[8..], entry.Term);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[16..], (uint)entry.Data.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[20..], (uint)place);
        bytes[24] = (byte)entry.Kind;
        entry.Data.Span.CopyTo(bytes[RecordHeaderBytes..]);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[28..], Checksum(bytes, entry.Data.Length, salt));
        return length;
    }

    /// <summary>
    /// The record at the start of the bytes, if it is whole and has the index. In a segment of one manager alone the
    /// kind says nothing.
    /// </summary>
    public static bool TryReadRecord(ReadOnlyMemory<byte> bytes, ulong index, ulong salt, out LogEntry entry)
    {
        entry = default;
        ReadOnlySpan<byte> span = bytes.Span;
        if (span.Length < RecordHeaderBytes || BinaryPrimitives.ReadUInt64LittleEndian(span) != index)
        {
            return false;
        }

        uint length = BinaryPrimitives.ReadUInt32LittleEndian(span[16..]);
        if (length > MaxEntryBytes || span.Length < RecordHeaderBytes + (int)length
            || BinaryPrimitives.ReadUInt32LittleEndian(span[28..]) != Checksum(span, (int)length, salt))
        {
            return false;
        }

        entry = new(
            index, BinaryPrimitives.ReadUInt64LittleEndian(span[8..]), (EntryKind)span[24], bytes.Slice(RecordHeaderBytes, (int)length));
        return true;
    }

    /// <summary>What a record says of itself before anything is checked: an index, and the first of its batch.</summary>
    public static (ulong Index, ulong BatchStart) Claim(ReadOnlySpan<byte> record)
    {
        ulong index = BinaryPrimitives.ReadUInt64LittleEndian(record);
        ulong place = BinaryPrimitives.ReadUInt32LittleEndian(record[20..]);
        return (index, place < index ? index - place : 0);
    }

    public static void WriteIdentifier(Span<byte> bytes, Identifier identifier, ulong salt)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, identifier.Index);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[8..], identifier.Term);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[16..], identifier.Offset);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[20..], identifier.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[24..], (uint)identifier.Kind);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[28..], Crc32C.Of(bytes[..28], salt));
    }

    public static bool TryReadIdentifier(ReadOnlySpan<byte> bytes, ulong index, ulong salt, out Identifier identifier)
    {
        identifier = default;
        if (bytes.Length < IdentifierBytes || BinaryPrimitives.ReadUInt64LittleEndian(bytes) != index
            || BinaryPrimitives.ReadUInt32LittleEndian(bytes[28..]) != Crc32C.Of(bytes[..28], salt))
        {
            return false;
        }

        identifier = new(
            index, BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]), BinaryPrimitives.ReadUInt32LittleEndian(bytes[16..]),
            BinaryPrimitives.ReadUInt32LittleEndian(bytes[20..]), (EntryKind)bytes[24]);
        return true;
    }

    private static uint Checksum(ReadOnlySpan<byte> record, int dataLength, ulong salt)
    {
        uint head = Crc32C.Of(record[..28], salt);
        return Crc32C.Of(record.Slice(RecordHeaderBytes, dataLength), head);
    }
}
