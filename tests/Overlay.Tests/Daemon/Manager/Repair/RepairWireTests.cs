using Overlay.Daemon.Manager.Peers;
using Overlay.Raft;
using Overlay.Raft.Repair;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Manager.Repair;

public sealed class RepairWireTests
{
    private static readonly MemberId From = new(5);
    private static readonly MemberId To = new(6);

    [Fact]
    public void A_question_is_read_as_it_was_written()
    {
        RepairRequest request = new(From, To, 9, [new(3, 0), new(4, 2)]);
        RepairQuestion question = RepairQuestion.Parser.ParseFrom(Google.Protobuf.MessageExtensions.ToByteArray(
            RepairWire.Write(request, new("c1", From, 1))));
        Assert.True(RepairWire.TryRead(question, out RepairRequest read));
        Assert.Equal((From, To, 9ul), (read.From, read.To, read.Fence));
        Assert.Equal(request.Asks.AsEnumerable(), read.Asks);
    }

    [Fact]
    public void An_answer_is_read_as_it_was_written()
    {
        RepairReply reply = new(
            From, To, 7, true, new(2, 1),
            [
                new(RepairFate.Whole, new(3, 2, EntryKind.Configuration, new byte[] { 1, 2 })), new(RepairFate.Damaged, new(4, 2, default)),
                new(RepairFate.Never, new(5, 0, default)), new(RepairFate.Covered, new(1, 0, default)),
            ]);
        RepairTold told = RepairTold.Parser.ParseFrom(Google.Protobuf.MessageExtensions.ToByteArray(RepairWire.Write(reply)));
        Assert.True(RepairWire.TryRead(told, From, To, out RepairReply? read));
        Assert.Equal((7ul, true, new SnapshotMark(2, 1)), (read!.Term, read.IsLeader, read.Snapshot));
        Assert.Equal(
            reply.Answers.Select(static a => (a.Fate, a.Entry.Index, a.Entry.Term)),
            read.Answers.Select(static a => (a.Fate, a.Entry.Index, a.Entry.Term)));
        Assert.Equal([1, 2], read.Answers[0].Entry.Data.ToArray());
        Assert.Equal(EntryKind.Configuration, read.Answers[0].Entry.Kind);
    }

    [Fact]
    public void What_is_too_much_or_none_of_the_contract_is_not_read()
    {
        RepairQuestion question = new();
        question.Asks.AddRange(Enumerable.Range(1, LogRepair.MostAsked + 1).Select(static i => new RepairPlace { Index = (ulong)i }));
        Assert.False(RepairWire.TryRead(question, out RepairRequest request));
        Assert.Empty(request.Asks);
        Assert.False(RepairWire.TryRead(Told(new RepairedEntry() { Fate = (RepairedFate)5 }), From, To, out _));
        Assert.False(RepairWire.TryRead(Told(new RepairedEntry()), From, To, out _));
        Assert.False(RepairWire.TryRead(Told(new RepairedEntry() { Fate = RepairedFate.Whole, Kind = 3 }), From, To, out _));
        Assert.False(RepairWire.TryRead(
            Told([.. Enumerable.Range(1, LogRepair.MostAsked + 1).Select(static _ => new RepairedEntry { Fate = RepairedFate.Never })]), From, To, out _));
        Assert.True(RepairWire.TryRead(Told(), From, To, out _));

        static RepairTold Told(params RepairedEntry[] entries)
        {
            RepairTold told = new();
            told.Entries.AddRange(entries);
            return told;
        }
    }
}
