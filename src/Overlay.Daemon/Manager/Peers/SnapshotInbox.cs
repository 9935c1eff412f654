using System.Security.Cryptography;
using Grpc.Core;
using Overlay.Raft;
using Overlay.Raft.Consensus;
using Overlay.Raft.Wire;
using Overlay.V1;

namespace Overlay.Daemon.Manager.Peers;

/// <summary>Snapshots on their way in: one of each member, kept while its call is broken so that the next one goes on.</summary>
internal sealed class SnapshotInbox
{
    /// <summary>As much as a snapshot's file may have.</summary>
    public const ulong MaxBytes = 256 << 20;

    private readonly Lock gate = new();
    private readonly Dictionary<MemberId, Arrival> arrivals = [];

    /// <summary>A snapshot that is coming in. Used by one call at a time.</summary>
    public sealed class Arrival(SnapshotChunk first, RaftMessage announcement)
    {
        private readonly byte[] bytes = new byte[first.Length];

        /// <summary>Up to here everything has come.</summary>
        public ulong Offset { get; private set; }

        public RaftMessage Announcement => announcement;

        public ReadOnlyMemory<byte> Bytes => bytes;

        public bool IsWhole => Offset == (ulong)bytes.Length;

        public bool IsOf(SnapshotChunk other) =>
            other.Length == first.Length && other.Digest.Equals(first.Digest) && other.Announcement.Equals(first.Announcement);

        public bool HasDigest() => SHA256.HashData(bytes).AsSpan().SequenceEqual(first.Digest.Span);

        /// <returns>What is wrong with the chunk; null: it was taken.</returns>
        public string? Add(SnapshotChunk chunk)
        {
            ReadOnlySpan<byte> data = chunk.Data.Span;
            if (chunk.Offset != Offset || data.IsEmpty || (ulong)data.Length > (ulong)bytes.Length - Offset)
            {
                return "A chunk does not follow the one before.";
            }

            if (chunk.Checksum != SnapshotSender.Checksum(chunk.Offset, data))
            {
                return "A chunk is not as it was sent.";
            }

            data.CopyTo(bytes.AsSpan((int)Offset));
            Offset += (ulong)data.Length;
            return null;
        }
    }

    /// <summary>Begins a snapshot, or goes on with the very same one.</summary>
    public Arrival Begin(MemberId from, SnapshotChunk first)
    {
        if (first.Length is 0 or > MaxBytes || first.Digest.Length != SHA256.HashSizeInBytes
            || !RaftMessageCodec.TryRead(first.Announcement.Memory, out RaftMessage announcement)
            || announcement.Kind != MessageKind.InstallSnapshot || announcement.From != from)
        {
            throw new RpcException(new(StatusCode.InvalidArgument, "The snapshot is announced without what belongs to it, or is too long."));
        }

        lock (gate)
        {
            if (!arrivals.TryGetValue(from, out Arrival? arrival) || !arrival.IsOf(first))
            {
                arrivals[from] = arrival = new(first, announcement);
            }

            return arrival;
        }
    }

    public void Forget(MemberId from)
    {
        lock (gate)
        {
            arrivals.Remove(from);
        }
    }
}
