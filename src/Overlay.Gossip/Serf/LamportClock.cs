namespace Overlay.Gossip.Serf;

/// <summary>Counts what happened before what (Lamport, 1978); serf's begin at 1.</summary>
internal sealed class LamportClock
{
    public ulong Time { get; private set; } = 1;

    /// <summary>The time of something that happens here, now.</summary>
    public ulong Tick() => Time++;

    /// <summary>Somebody else's clock showed that: this one is past it.</summary>
    public void Witness(ulong time) => Time = Math.Max(Time, time + 1);
}
