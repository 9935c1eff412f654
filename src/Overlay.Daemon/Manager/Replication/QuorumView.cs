namespace Overlay.Daemon.Manager.Replication;

/// <summary>How many of those who decide can be reached, this manager included, and how many must be.</summary>
internal readonly record struct QuorumView(int Reachable, int Total, int Needed)
{
    public bool IsLost => Reachable < Needed;

    public override string ToString() => string.Create(
        System.Globalization.CultureInfo.InvariantCulture, $"{Reachable} of {Total} managers reachable, {Needed} needed");
}
