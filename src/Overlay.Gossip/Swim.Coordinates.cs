using Overlay.Gossip.Coordinates;

namespace Overlay.Gossip;

/// <summary>The distances' part of the façade.</summary>
public sealed partial class Swim
{
    /// <summary>This node's own place.</summary>
    public Coordinate Coordinate => coordinate.Coordinate;

    /// <summary>The place of a member; null while none is known, which takes one direct probe of it.</summary>
    public Coordinate? PlaceOf(string name) =>
        members.IsSelf(name) ? coordinate.Coordinate : members.Find(name)?.Position?.Coordinate;

    /// <summary>The estimated round trip between two members, this one or not; null while a place is unknown.</summary>
    public TimeSpan? EstimateRoundTrip(string from, string to) =>
        PlaceOf(from) is { } here && PlaceOf(to) is { } there ? here.To(there) : null;
}
