using Overlay.Primitives;

namespace Overlay.Raft.Consensus;

/// <summary>
/// Reads that see every write acknowledged before them (thesis, 6.4): the leader notes its commit index and asks a majority
/// whether it still leads. One question at a time, for all reads that came before it; its number rides the heartbeats and
/// only grows within a term, so that no late answer to an earlier one confirms it. No leases: they trust clocks.
/// </summary>
public sealed partial class RaftCore
{
    private readonly StructQueue<WaitingRead> waiting = new();
    private readonly StructQueue<WaitingRead> inRound = new();
    private readonly StructQueue<ForwardedRead> forwarded = new();

    /// <summary>The number of the last question; 0: none in this term.</summary>
    private ulong roundPosition;
    private ulong roundIndex;

    /// <summary>Of requests that went to a leader. It begins at random: an answer to a former life matches nothing.</summary>
    private ulong readNumber;

    /// <summary>Reads that wait here, as leader or for one.</summary>
    public int PendingReads => waiting.Count + inRound.Count + forwarded.Count;

    private bool IsRoundDue => role == RaftRole.Leader && waiting.Count > 0 && inRound.Count == 0 && HasCommittedInTerm;

    /// <summary>
    /// Asks for the index that a state must have applied to hold every write acknowledged by now. The answer is a
    /// <see cref="ReadResult"/> with the context, which means nothing here and need not be unique.
    /// </summary>
    public void Read(ulong context, Instant at, RaftEffects into)
    {
        Begin(at, into);
        if (role == RaftRole.Leader && waiting.Count < options.MaxPendingReads)
        {
            waiting.Enqueue(new(self, context));
        }
        else if (role == RaftRole.Leader || leader.IsNone || forwarded.Count >= options.MaxPendingReads)
        {
            effects.Reads.Add(new(context, 0, true));
        }
        else
        {
            forwarded.Enqueue(new() { Number = ++readNumber, Context = context, Expires = now + options.ElectionTimeout });
            Send(new() { Kind = MessageKind.Read, To = leader, Context = readNumber });
        }
    }

    /// <summary>Another member's read.</summary>
    private void TakeRead(in RaftMessage message)
    {
        if (role == RaftRole.Leader && waiting.Count < options.MaxPendingReads)
        {
            waiting.Enqueue(new(message.From, message.Context));
        }
        else
        {
            Send(new() { Kind = MessageKind.ReadResponse, To = message.From, Context = message.Context, Reject = true });
        }
    }

    private void TakeReadResponse(in RaftMessage message)
    {
        for (int i = 0; i < forwarded.Count; i++)
        {
            ref ForwardedRead read = ref forwarded[i];
            if (read.Number == message.Context && !read.IsAnswered)
            {
                read.IsAnswered = true;
                effects.Reads.Add(new(read.Context, message.Index, message.Reject));
                break;
            }
        }

        while (forwarded.Count > 0 && forwarded[0].IsAnswered)
        {
            forwarded.Dequeue();
        }
    }

    private void StartRound()
    {
        if (!IsRoundDue)
        {
            return;
        }

        roundPosition++;
        roundIndex = log.Commit;
        while (waiting.Count > 0)
        {
            inRound.Enqueue(waiting.Dequeue());
        }

        SendHeartbeats();
        ConfirmRound();
    }

    private void ConfirmRound()
    {
        if (inRound.Count == 0 || members.Confirmed() < roundPosition)
        {
            return;
        }

        while (inRound.Count > 0)
        {
            WaitingRead read = inRound.Dequeue();
            if (read.From == self)
            {
                effects.Reads.Add(new(read.Context, roundIndex, false));
            }
            else
            {
                Send(new() { Kind = MessageKind.ReadResponse, To = read.From, Context = read.Context, Index = roundIndex });
            }
        }
    }

    /// <summary>A leader that is none any more can confirm nothing; who asked from afar notices by itself.</summary>
    private void LoseReads()
    {
        Lose(waiting);
        Lose(inRound);
        roundPosition = 0;
    }

    private void Lose(StructQueue<WaitingRead> reads)
    {
        while (reads.Count > 0)
        {
            WaitingRead read = reads.Dequeue();
            if (read.From == self)
            {
                effects.Reads.Add(new(read.Context, 0, true));
            }
        }
    }

    private void LoseForwarded()
    {
        while (forwarded.Count > 0)
        {
            DropForwarded();
        }
    }

    private void ExpireForwarded()
    {
        while (forwarded.Count > 0 && (forwarded[0].IsAnswered || forwarded[0].Expires <= now))
        {
            DropForwarded();
        }
    }

    private void DropForwarded()
    {
        ForwardedRead read = forwarded.Dequeue();
        if (!read.IsAnswered)
        {
            effects.Reads.Add(new(read.Context, 0, true));
        }
    }

    private readonly record struct WaitingRead(MemberId From, ulong Context);

    private struct ForwardedRead
    {
        public ulong Number;
        public ulong Context;
        public Instant Expires;
        public bool IsAnswered;
    }
}
