using System.Buffers;
using Overlay.Daemon.Manager.Peers;
using Overlay.Primitives;
using Overlay.Raft;
using Overlay.Raft.Consensus;
using Overlay.Raft.Wire;
using Overlay.V1;

namespace Overlay.Simulation.Whole;

/// <summary>One manager's ways to the others: real bytes of messages over a network that loses, delays and repeats them.</summary>
internal sealed class SimLinks(WholeNode node, Prng prng) : IPeerLinks
{
    private readonly ArrayBufferWriter<byte> wire = new();
    private readonly WholeWorld world = node.World;

    public void Update(IReadOnlyCollection<PeerAddress> peers)
    {
        // Everybody is reached by the member's id.
    }

    public bool IsConnected(MemberId member)
    {
        WholeNode other = world.Nodes[WholeNode.SlotOf(member)];
        return other.Id == member && other.IsUp && !world.Network.IsCut(node.Slot, other.Slot) && !world.Network.IsCut(other.Slot, node.Slot);
    }

    public bool TrySend(MemberId to, RaftLane lane, in RaftMessage message)
    {
        world.Watch.Send(node, message);
        if (!world.IsCalm && prng.Chance(0.002))
        {
            // There is no room in the outbox.
            return false;
        }

        wire.ResetWrittenCount();
        RaftMessageCodec.Write(message, wire);
        byte[] bytes = wire.WrittenSpan.ToArray();
        world.Mix(Crc32C.Of(bytes));
        WholeNode other = world.Nodes[WholeNode.SlotOf(to)];
        bool sent = world.Network.Send(node.Slot, other.Slot, bytes.Length, () => other.Deliver(to, bytes));
        if (world.Trace)
        {
            world.Say(node, $"-> {Show(message)}{(sent ? "" : " LOST")}");
        }

        return sent || !world.Swarm.Hints || prng.Chance(0.7);
    }

    public Task<bool> SendSnapshotAsync(
        MemberId to, RaftMessage announcement, ReadOnlyMemory<byte> snapshot, CancellationToken cancellationToken)
    {
        TaskCompletionSource<bool> result = new();
        WholeNode other = world.Nodes[WholeNode.SlotOf(to)];
        byte[] bytes = snapshot.ToArray();
        RaftMessage message = announcement.Detached();
        void Finish(bool ok)
        {
            if (result.TrySetResult(ok))
            {
                node.Poke();
            }
        }

        world.Say(node, $"=> snapshot {announcement.Snapshot} for {to}");
        bool sent = world.Network.Send(node.Slot, other.Slot, bytes.Length, () =>
        {
            bool taken = other.DeliverSnapshot(to, message, bytes);
            world.Network.Send(other.Slot, node.Slot, 0, () => Finish(taken));
        });
        world.Later((sent ? 3 : 1) * WholeSwarm.Second, () => Finish(false));
        return result.Task;
    }

    public static string Show(in RaftMessage m) =>
        $"{m.Kind} {m.From}->{m.To} term {m.Term} at {m.Index}/{m.LogTerm} commit {m.Commit} entries {m.Entries.Length}"
        + (m.Reject ? $" REJECT hint {m.RejectHint}" : "");
}
