namespace Overlay.Gossip.Tables;

internal enum TableKind : byte
{
    Summary = 1,
    Digest = 2,
    Want = 3,
    Delta = 4,
    Question = 5,
    Acknowledgement = 6,
}

/// <summary>
/// One message about tables where it lies in its payload, checked to the end: nothing is copied. The fields that a kind
/// does not have are empty; <see cref="TableMessage"/> says what they mean.
/// </summary>
internal ref struct TableFields
{
    public TableKind Kind;
    public ReadOnlySpan<byte> Network;
    public ReadOnlySpan<byte> Owner;
    public ReadOnlySpan<byte> After;
    public ReadOnlySpan<byte> Through;
    public ulong Epoch;
    public ulong Version;
    public ulong From;
    public ulong To;
    public ulong Head;
    public ulong Settled;
    public ulong Pruned;

    /// <summary>Fingerprints, lines or items in the body.</summary>
    public int Count;

    private ReadOnlySpan<byte> body;

    /// <summary>Reads the fingerprints, lines or items.</summary>
    public readonly TableReader Body => new(body);

    public static bool TryRead(scoped ref TableReader reader, out TableFields fields)
    {
        TableFields read = default;
        bool sound = reader.TryReadByte(out byte kind) && (read.Kind = (TableKind)kind) switch
        {
            TableKind.Summary => TryReadBody(ref reader, ref read),
            TableKind.Digest => reader.TryReadUtf8(TableCodec.MaxTextBytes, out read.Network)
                && reader.TryReadUtf8(TableCodec.MaxTextBytes, out read.After)
                && reader.TryReadUtf8(TableCodec.MaxTextBytes, out read.Through)
                && TryReadBody(ref reader, ref read),
            TableKind.Want => reader.TryReadUtf8(TableCodec.MaxTextBytes, out read.Network)
                && TryReadBody(ref reader, ref read),
            TableKind.Delta => TryReadDelta(ref reader, ref read),
            TableKind.Question or TableKind.Acknowledgement =>
                reader.TryReadUtf8(TableCodec.MaxTextBytes, out read.Network)
                && reader.TryReadNumber(out read.Epoch)
                && reader.TryReadNumber(out read.Version),
            _ => false,
        };
        fields = read;
        return sound;
    }

    private static bool TryReadDelta(scoped ref TableReader reader, ref TableFields delta) =>
        reader.TryReadUtf8(TableCodec.MaxTextBytes, out delta.Network)
        && reader.TryReadUtf8(TableCodec.MaxTextBytes, out delta.Owner)
        && reader.TryReadNumber(out delta.Epoch)
        && reader.TryReadNumber(out delta.From)
        && reader.TryReadNumber(out delta.To)
        && reader.TryReadNumber(out delta.Head)
        && reader.TryReadNumber(out delta.Settled)
        && reader.TryReadNumber(out delta.Pruned)
        && !delta.Owner.IsEmpty && delta.Epoch != 0 && delta.From < delta.To && delta.To <= delta.Head
        && TryReadBody(ref reader, ref delta);

    private static bool TryReadBody(scoped ref TableReader reader, ref TableFields fields)
    {
        const int SmallestFingerprint = 2;
        const int SmallestLine = 3;
        int smallest = fields.Kind == TableKind.Summary ? SmallestFingerprint : SmallestLine;
        if (!reader.TryReadCount(smallest, out fields.Count))
        {
            return false;
        }

        ReadOnlySpan<byte> start = reader.Rest;
        ulong last = fields.From;
        for (int i = 0; i < fields.Count; i++)
        {
            ulong before = last;
            bool read = fields.Kind switch
            {
                TableKind.Summary => reader.TryReadFingerprint(out _, out _),
                TableKind.Delta => reader.TryReadItem(out _, out last, out _, out _) && last > before && last <= fields.To,
                _ => reader.TryReadLine(out _, out _, out _),
            };
            if (!read)
            {
                return false;
            }
        }

        fields.body = start[..^reader.Remaining];
        return true;
    }
}
