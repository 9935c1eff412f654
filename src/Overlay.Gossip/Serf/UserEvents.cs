using System.Text;
using Overlay.Gossip.Wire;

namespace Overlay.Gossip.Serf;

/// <summary>The user events of the last ticks of their clock: what is in here is not news.</summary>
internal sealed class UserEvents
{
    private readonly List<SerfMessage.Event>?[] ticks = new List<SerfMessage.Event>?[SerfLimits.Window];
    private ulong beginning;

    public LamportClock Clock { get; } = new();

    /// <summary>Oldest first.</summary>
    public IReadOnlyList<SerfMessage.Event> All =>
        [.. ticks.OfType<List<SerfMessage.Event>>().SelectMany(t => t).OrderBy(e => e.Time)];

    /// <summary>False: it is not new, or too old to tell.</summary>
    public bool Note(SerfMessage.Event happened)
    {
        Clock.Witness(happened.Time);
        if (happened.Time < beginning || happened.Time + SerfLimits.Window < Clock.Time)
        {
            return false;
        }

        ref List<SerfMessage.Event>? tick = ref ticks[happened.Time % SerfLimits.Window];
        if (tick is null || tick[0].Time != happened.Time)
        {
            tick = [];
        }
        else if (tick.Count >= SerfLimits.MaxEventsPerTick || tick.Exists(e => IsSame(e, happened)))
        {
            return false;
        }

        tick.Add(happened);
        return true;
    }

    /// <summary>It was noted.</summary>
    public bool Knows(ulong time, ReadOnlySpan<byte> name, ReadOnlySpan<byte> payload)
    {
        if (ticks[time % SerfLimits.Window] is not { } tick || tick[0].Time != time || name.Length > WireLimits.MaxName)
        {
            return false;
        }

        Span<char> text = stackalloc char[WireLimits.MaxName];
        text = text[..Encoding.UTF8.GetChars(name, text)];
        foreach (SerfMessage.Event noted in tick)
        {
            if (text.SequenceEqual(noted.Name) && payload.SequenceEqual(noted.Payload))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>What happened before this node came is not told.</summary>
    public void BeginAfter(ulong time)
    {
        Clock.Witness(time);
        beginning = Math.Max(beginning, time + 1);
    }

    private static bool IsSame(SerfMessage.Event one, SerfMessage.Event other) =>
        one.Name == other.Name && one.Payload.AsSpan().SequenceEqual(other.Payload);
}
