using Overlay.Cluster;
using Overlay.Daemon.Manager;
using Overlay.V1;

namespace Overlay.Simulation.Whole;

/// <summary>How a manager has answered.</summary>
internal enum AnswerKind
{
    /// <summary>Done, or as asked already.</summary>
    Done,

    /// <summary>Refused by the rules, as of a state with everything before.</summary>
    Refused,

    /// <summary>Not made, and never will be by this attempt.</summary>
    NotMade,

    /// <summary>It may have been made.</summary>
    Unknown,
}

/// <param name="State">Of a read.</param>
/// <param name="Wrote">A transaction was computed for it.</param>
internal readonly record struct ManagerAnswer(AnswerKind Kind, Refusal? Refusal, ClusterState? State, bool Wrote);

/// <summary>The agent's own proposal, answered without a thread.</summary>
internal sealed class SimWork<T>(ManagerProposal<T> inner, Action<ManagerAnswer> answered) : IManagerWork
    where T : notnull
{
    private bool wrote;

    public string RequestId => inner.RequestId;

    public bool IsRead => inner.IsRead;

    public bool MayBeStale => inner.MayBeStale;

    public Transaction? Compute(Speculation speculation, long unixMs, Func<string?> shortage)
    {
        Transaction? transaction = inner.Compute(speculation, unixMs, shortage);
        wrote = transaction is not null;
        return transaction;
    }

    public void Answer(Store store)
    {
        inner.Answer(store);
        Refusal? refusal = inner.Result.GetAwaiter().GetResult().Refusal;
        AnswerKind kind = refusal is null || refusal.What == "The request was not repeated." ? AnswerKind.Done
            : refusal.Kind == RefusalKind.Unavailable ? AnswerKind.NotMade
            : AnswerKind.Refused;
        answered(new(kind, refusal, null, wrote));
    }

    public void Fail(Refusal refusal)
    {
        inner.Fail(refusal);
        bool unknown = refusal.What.StartsWith("It is not known", StringComparison.Ordinal);
        answered(new(unknown ? AnswerKind.Unknown : AnswerKind.NotMade, refusal, null, wrote));
    }
}

/// <summary>A read of a state with everything that was acknowledged before it.</summary>
internal sealed class SimRead(Action<ManagerAnswer> answered) : IManagerWork
{
    public string RequestId => "";

    public bool IsRead => true;

    public bool MayBeStale => false;

    public Transaction? Compute(Speculation speculation, long unixMs, Func<string?> shortage) => null;

    public void Answer(Store store) => answered(new(AnswerKind.Done, null, store.State, false));

    public void Fail(Refusal refusal) => answered(new(AnswerKind.NotMade, refusal, null, false));
}
