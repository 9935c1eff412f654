namespace Overlay.Cluster;

/// <summary>What is due of replacing a dead manager.</summary>
/// <param name="Lost">Id of the manager that is gone.</param>
/// <param name="Successor">Id of the worker that takes its place; empty where there is none.</param>
/// <param name="Reason">A few words for people.</param>
public readonly record struct ReplacementStep(ReplacementAction Action, string Lost, string Successor, string Reason)
{
    public static readonly ReplacementStep None = new(ReplacementAction.None, "", "", "");
}

/// <summary>What the leader does.</summary>
public enum ReplacementAction
{
    None,

    /// <summary>One is to be replaced, and cannot be now.</summary>
    Wait,

    /// <summary>The successor is to listen to the log.</summary>
    Begin,

    /// <summary>It decides along from now on, and the lost one no longer.</summary>
    Finish,

    /// <summary>The successor is a worker again.</summary>
    Cancel,
}

/// <summary>What gossip says of a node.</summary>
public enum NodeHealth
{
    /// <summary>It does not answer, or its agent does not.</summary>
    Gone,

    /// <summary>It is not known to be well, nor to be lost.</summary>
    Doubtful,

    Alive,
}

/// <summary>What the leader sees of a node.</summary>
/// <param name="IsReachable">By the managers' own connections.</param>
/// <param name="Health">By gossip.</param>
/// <param name="Votes">It decides along.</param>
/// <param name="IsCaughtUp">It has nearly all of the log.</param>
/// <param name="Flaps">Losses in a row, each soon after a return.</param>
public readonly record struct NodeSight(bool IsReachable, NodeHealth Health, bool Votes, bool IsCaughtUp, int Flaps)
{
    public static readonly NodeSight Lost = new(false, NodeHealth.Gone, false, false, 0);

    /// <summary>Neither way leads to it.</summary>
    public bool IsGone => !IsReachable && Health == NodeHealth.Gone;
}
