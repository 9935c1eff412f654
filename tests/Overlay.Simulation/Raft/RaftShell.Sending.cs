using System.Buffers;
using Overlay.Raft;
using Overlay.Raft.Consensus;
using Overlay.Raft.Wire;

namespace Overlay.Simulation.Raft;

/// <summary>What is under way between nodes.</summary>
internal sealed partial class RaftShell
{
    private readonly ArrayBufferWriter<byte> wire = new();
    private readonly Stack<int> free = new();
    private Envelope[] envelopes = new Envelope[64];
    private int used;

    private void Send(RaftSimNode node, RaftMessage message, RaftSnapshot? snapshot)
    {
        int to = (int)((message.To.Value - 1) & 255);
        world.Mix(((ulong)message.Kind << 56) ^ (message.Term << 40) ^ message.Index ^ message.To.Value);
        (long first, long second) = world.Network.Delays(node.Slot, to);
        if (world.Trace)
        {
            Say(node, $"-> {Show(message)}{(first < 0 && second < 0 ? " LOST" : "")}");
        }

        if (first < 0 && second < 0)
        {
            if (snapshot is not null)
            {
                ReportSnapshot(new() { Sender = node.Slot, SenderLife = node.Life }, message.To, false);
            }
            else if (world.Swarm.Hints && timers.Chance(0.1))
            {
                world.Later(timers.Next(50) * RaftSwarm.Millisecond, RaftEventKind.Unreachable, node.Slot, node.Life, message.To.Value);
            }

            return;
        }

        message = world.Swarm.Wire ? ThroughBytes(node, message) : message.Detached();
        Envelope envelope = new()
        {
            Message = message,
            Snapshot = snapshot,
            Sender = node.Slot,
            SenderLife = node.Life,
            ReceiverLife = world.Nodes[to].Life,
        };
        if (first >= 0)
        {
            Post(envelope, to, first);
        }

        if (second >= 0)
        {
            Post(envelope, to, second);
        }
    }

    private void Post(in Envelope envelope, int to, long delay)
    {
        if (!free.TryPop(out int number))
        {
            number = used++;
            if (number == envelopes.Length)
            {
                Array.Resize(ref envelopes, number * 2);
            }
        }

        envelopes[number] = envelope;
        world.Later(delay, RaftEventKind.Deliver, to, 0, (ulong)number);
    }

    private RaftMessage ThroughBytes(RaftSimNode node, in RaftMessage message)
    {
        wire.ResetWrittenCount();
        RaftMessageCodec.Write(message, wire);
        RaftWatch.Require(
            RaftMessageCodec.TryRead(wire.WrittenSpan.ToArray(), out RaftMessage read), node,
            $"its own message cannot be read back: {Show(message)}");
        return read;
    }

    private void SendSnapshot(RaftSimNode node, in RaftMessage wanted)
    {
        RaftSnapshot snapshot = node.Disk.Snapshot;
        RaftWatch.Require(snapshot.Mark.Index >= wanted.Snapshot.Index, node, $"it wants snapshot {wanted.Snapshot}, newest is {snapshot.Mark}");
        Send(node, wanted with { Snapshot = snapshot.Mark, Configuration = snapshot.Configuration }, snapshot);
    }

    private void ReportSnapshot(in Envelope envelope, MemberId receiver, bool arrived)
    {
        if (!arrived)
        {
            world.Counters.Add(RaftSometimes.SnapshotSendFailed);
        }

        world.Later(
            timers.Next(100) * RaftSwarm.Millisecond, RaftEventKind.SnapshotReport, envelope.Sender, envelope.SenderLife,
            (receiver.Value << 1) | (arrived ? 1UL : 0));
    }

    private static string Show(in RaftMessage m) =>
        $"{m.Kind} {m.From}->{m.To} term {m.Term} at {m.Index}/{m.LogTerm} commit {m.Commit} entries {m.Entries.Length}"
        + (m.Reject ? $" REJECT hint {m.RejectHint}" : "") + (m.Context != 0 ? $" context {m.Context}" : "")
        + (m.Configuration is null ? "" : $" snapshot {m.Snapshot}");

    /// <summary>A message under way.</summary>
    private struct Envelope
    {
        public RaftMessage Message;
        public RaftSnapshot? Snapshot;
        public int Sender;
        public int SenderLife;
        public int ReceiverLife;
    }
}
