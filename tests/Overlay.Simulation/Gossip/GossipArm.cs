using Overlay.Gossip;

namespace Overlay.Simulation.Gossip;

/// <summary>One implementation under test: the same core with other rules, on the same seeds.</summary>
/// <param name="Compresses">Streams are counted as compressed, which serf's are. DEFLATE stands in for its LZW and is
/// the better of the two, so that the comparison favours the anchor.</param>
internal sealed record GossipArm(string Name, SwimOptions Options, bool Compresses = false)
{
    /// <summary>Nothing of the tables: they are measured where they are what the experiment is about.</summary>
    private static readonly TimeSpan Never = TimeSpan.FromDays(365);

    public static readonly GossipArm Ours = new("overlayd", Quiet(SwimOptions.Lan));

    public static readonly GossipArm OursLocal = new("overlayd-local", Quiet(GossipProfiles.Local));

    public static readonly GossipArm Faithful = new("memberlist-faithful", Quiet(GossipProfiles.Memberlist), Compresses: true);

    public static readonly GossipArm PlainSwim = new("swim", Quiet(GossipProfiles.PlainSwim), Compresses: true);

    public static GossipArm Of(string name) => new[] { Ours, OursLocal, Faithful, PlainSwim }.FirstOrDefault(a => a.Name == name)
        ?? throw new ArgumentException($"There is no arm '{name}': overlayd, overlayd-local, memberlist-faithful or swim.");

    private static SwimOptions Quiet(SwimOptions options) => options with { SettleTime = Never, AgentDownHold = TimeSpan.Zero };
}
