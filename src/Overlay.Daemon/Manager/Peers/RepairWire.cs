using System.Collections.Immutable;
using Google.Protobuf;
using Overlay.Raft;
using Overlay.Raft.Repair;
using Overlay.V1;

namespace Overlay.Daemon.Manager.Peers;

/// <summary>Questions and answers about damaged entries as messages of the contract.</summary>
internal static class RepairWire
{
    public static RepairQuestion Write(RepairRequest request, PeerSelf self)
    {
        RepairQuestion question = new() { Hello = PeerHello.To(request.To, self, RaftLane.Bulk), Fence = request.Fence };
        question.Asks.AddRange(request.Asks.Select(static ask => new RepairPlace { Index = ask.Index, Term = ask.Term }));
        return question;
    }

    /// <summary>Of any origin.</summary>
    /// <returns>False: it asks for more than anybody may.</returns>
    public static bool TryRead(RepairQuestion question, out RepairRequest request)
    {
        bool isBounded = question.Asks.Count <= LogRepair.MostAsked;
        request = new(
            new(question.Hello?.From ?? 0), new(question.Hello?.To ?? 0), question.Fence,
            isBounded ? [.. question.Asks.Select(static ask => new RepairAsk(ask.Index, ask.Term))] : []);
        return isBounded;
    }

    public static RepairTold Write(RepairReply reply)
    {
        RepairTold told = new()
        {
            Term = reply.Term,
            Leader = reply.IsLeader,
            SnapshotIndex = reply.Snapshot.Index,
            SnapshotTerm = reply.Snapshot.Term,
        };
        told.Entries.AddRange(reply.Answers.Select(static answer => new RepairedEntry
        {
            Fate = (RepairedFate)((int)answer.Fate + 1),
            Index = answer.Entry.Index,
            Term = answer.Entry.Term,
            Kind = (uint)answer.Entry.Kind,
            Data = UnsafeByteOperations.UnsafeWrap(answer.Entry.Data),
        }));
        return told;
    }

    /// <summary>Of any origin.</summary>
    /// <param name="from">Whom it was asked of.</param>
    /// <param name="to">Who asked.</param>
    /// <param name="reply">Null: it is no answer.</param>
    public static bool TryRead(RepairTold told, MemberId from, MemberId to, out RepairReply? reply)
    {
        reply = null;
        if (told.Entries.Count > LogRepair.MostAsked)
        {
            return false;
        }

        ImmutableArray<RepairAnswer>.Builder answers = ImmutableArray.CreateBuilder<RepairAnswer>(told.Entries.Count);
        foreach (RepairedEntry entry in told.Entries)
        {
            if (entry.Fate is < RepairedFate.Whole or > RepairedFate.Covered || entry.Kind > (uint)EntryKind.Configuration)
            {
                return false;
            }

            answers.Add(new((RepairFate)(entry.Fate - 1), new(entry.Index, entry.Term, (EntryKind)entry.Kind, entry.Data.Memory)));
        }

        reply = new(from, to, told.Term, told.Leader, new(told.SnapshotIndex, told.SnapshotTerm), answers.MoveToImmutable());
        return true;
    }
}
