using Overlay.Raft;

namespace Overlay.Daemon.Storage;

/// <summary>When a segment is full and how much one sync covers; tests take small ones.</summary>
internal sealed record LogLimits
{
    /// <summary>A batch that would begin behind this offset begins a new segment.</summary>
    public int SegmentBytes { get; init; } = SegmentFormat.FullBytes;

    public int SegmentEntries { get; init; } = SegmentFormat.MaxEntries;

    /// <summary>Entries are written and synced in batches of at most this size, or singly.</summary>
    public int BatchBytes { get; init; } = 4 << 20;

    /// <summary>What must be free for a change to begin: recovery, leaving and the operator need some.</summary>
    public long FreeBytesFloor { get; init; } = 16 << 20;
}
