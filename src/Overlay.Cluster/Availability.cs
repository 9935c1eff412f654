using Overlay.V1;

namespace Overlay.Cluster;

/// <summary>
/// What a node is given, as its operator wants it. Each agent goes by what it was assigned: a node that is paused or
/// drained refuses new endpoints itself, and every node leaves out of names what a drained one has.
/// </summary>
public static class Availability
{
    /// <summary>Never unspecified: a node of which nothing was said is active.</summary>
    public static NodeAvailability Of(NodeObject? node) =>
        node?.Availability is NodeAvailability.Pause or NodeAvailability.Drain ? node.Availability : NodeAvailability.Active;

    /// <summary>Nothing new is sent to its endpoints.</summary>
    public static bool IsDrained(NodeObject? node) => Of(node) == NodeAvailability.Drain;

    /// <summary>It is drained, and every node has said that it knows.</summary>
    public static bool IsAcknowledged(NodeObject node) =>
        IsDrained(node) && node.AvailabilityUnixMs != 0 && node.DrainedUnixMs == node.AvailabilityUnixMs;

    /// <summary>The word that operators type and see.</summary>
    public static string Text(NodeAvailability availability) => availability switch
    {
        NodeAvailability.Pause => "pause",
        NodeAvailability.Drain => "drain",
        _ => "active",
    };
}
