namespace Overlay.Gossip.Steadiness;

/// <summary>What an observer found of a member.</summary>
internal enum AlertKind : byte
{
    /// <summary>It spoke, and did not object to what it was told. What it said may be its last before a cut.</summary>
    Deaf = 0,

    /// <summary>It answered too few of the pings of a trial, and one after those that it missed.</summary>
    Lossy = 1,

    /// <summary>It answered nearly all of them: what this observer said before is taken back.</summary>
    Steady = 2,
}
