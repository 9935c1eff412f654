using Overlay.Daemon.Manager;
using Overlay.Primitives;

namespace Overlay.Simulation.Whole;

internal enum WholeVerb
{
    Take,
    Release,
    Look,
    CreateNetwork,
    RemoveNetwork,
    AddNode,
    Sweep,
}

/// <summary>One call of one client, with all its attempts.</summary>
internal sealed class WholeCall(WholeWorld world, WholeClients clients, Prng prng, int client, WholeVerb verb)
{
    private const int Attempts = 8;
    private int attempt;

    /// <summary>An attempt has been made of which it is not known what became; it may still come to something.</summary>
    private bool uncertain;
    private bool ended;

    public int Client => client;

    public WholeVerb Verb => verb;

    /// <summary>Empty: it is not told from others.</summary>
    public string Request { get; init; } = "";

    public string Target { get; init; } = "";

    public int Address { get; init; }

    public ulong Endpoint { get; init; }

    public Func<string, Action<ManagerAnswer>, IManagerWork>? NewWork { get; init; }

    public long CalledAt { get; private set; }

    public AnswerKind Outcome { get; private set; }

    /// <summary>The answer was that of a transaction.</summary>
    public bool Wrote { get; private set; }

    /// <summary>Of a look: the endpoint that has the address.</summary>
    public long Found { get; private set; }

    public void Begin()
    {
        CalledAt = world.Now;
        Ask();
    }

    public override string ToString() => $"{verb} {Request} of client {client}, attempt {attempt}";

    private void Ask()
    {
        WholeNode node = prng.Chance(0.6) && world.Leader is { } leader ? leader : world.Nodes[prng.Next(world.Swarm.Slots)];
        if (world.IsCalm && !world.Truth.Configuration.Contains(node.Id))
        {
            node = world.Nodes[WholeNode.SlotOf(world.Truth.Configuration.Voters[prng.Next(world.Truth.Configuration.Voters.Length)])];
        }

        int number = ++attempt;
        world.Later(world.Network.Delay(100), () => Arrive(node, number));
        long patience = (400 + (long)prng.Next(6000)) * WholeSwarm.Millisecond;
        world.Later(patience, () => TimeOut(number));
    }

    private void Arrive(WholeNode node, int number)
    {
        if (!node.IsUp)
        {
            return;
        }

        bool follows = !node.IsLeading;
        void Answered(ManagerAnswer answer)
        {
            ulong version = answer.State?.Version ?? 0;
            world.Mix(version);
            world.Later(world.Network.Delay(100), () => Hear(answer, number, follows));
        }

        IManagerWork work = verb == WholeVerb.Look ? new SimRead(Answered) : NewWork!(Request, Answered);
        world.Say(node, $"is asked: {this}");
        _ = node.Loop!.EnqueueAsync(work, default).AsTask();
        node.Poke();
    }

    private void TimeOut(int number)
    {
        if (!ended && number == attempt)
        {
            uncertain = true;
            TryAgain();
        }
    }

    private void Hear(ManagerAnswer answer, int number, bool follows)
    {
        if (ended)
        {
            return;
        }

        world.Say($"client {client}", $"hears {answer.Kind} to {this} (attempt {number}): {answer.Refusal?.Why}");
        Count(answer, follows);
        switch (answer.Kind)
        {
            case AnswerKind.Done:
                Wrote = answer.Wrote;
                Found = answer.State is { } state ? Holder(state) : 0;
                End(AnswerKind.Done);
                break;
            case AnswerKind.Refused:
                // An earlier attempt may still be taken by a manager that gets to lead.
                End(uncertain ? AnswerKind.Unknown : AnswerKind.Refused);
                break;
            case AnswerKind.Unknown:
                uncertain = true;
                Again(number);
                break;
            default:
                Again(number);
                break;
        }
    }

    private void Again(int number)
    {
        if (number == attempt)
        {
            world.Later((long)(50 * WholeSwarm.Millisecond * prng.NextDouble()), () =>
            {
                if (!ended && number == attempt)
                {
                    TryAgain();
                }
            });
        }
    }

    private void TryAgain()
    {
        if (attempt < Attempts)
        {
            Ask();
        }
        else
        {
            End(uncertain ? AnswerKind.Unknown : AnswerKind.NotMade);
        }
    }

    private void End(AnswerKind outcome)
    {
        ended = true;
        Outcome = outcome;
        clients.Ended(this);
    }

    private long Holder(Overlay.Cluster.ClusterState state) =>
        state.Reservation($"{Beginning.HeldNetwork}/{Beginning.Address(Address)}") is { ReleasedUnixMs: 0 } held
            ? (long)WholeClients.NumberOf(held)
            : 0;

    private void Count(in ManagerAnswer answer, bool follows)
    {
        string why = answer.Refusal?.Why ?? "";
        WholeSometimes? thing = answer.Kind switch
        {
            AnswerKind.Done when verb == WholeVerb.Look => follows ? WholeSometimes.ReadByFollower : WholeSometimes.ReadAnswered,
            AnswerKind.Done when attempt > 1 && !answer.Wrote && Request.Length > 0 => WholeSometimes.WriteRepeated,
            AnswerKind.Refused => WholeSometimes.WriteRefused,
            AnswerKind.Unknown => WholeSometimes.UndecidedTold,
            AnswerKind.NotMade when answer.Refusal!.Kind == Overlay.Cluster.RefusalKind.NoQuorum => WholeSometimes.NoQuorumTold,
            AnswerKind.NotMade when why.Contains("does not lead", StringComparison.Ordinal) => WholeSometimes.NotLeaderTold,
            AnswerKind.NotMade when why.Contains("disk", StringComparison.Ordinal) => WholeSometimes.ShortageRefused,
            _ => null,
        };
        if (thing is { } counted)
        {
            world.Counters.Add(counted);
        }
    }
}
