using Overlay.Node;
using Overlay.Primitives;

namespace Overlay.Tests.Node;

public sealed class SessionsTests
{
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(1);
    private readonly Sessions sessions = new(Silence);
    private Instant now = new(1_000_000_000_000);

    [Fact]
    public void Who_beats_is_never_silent()
    {
        for (int i = 0; i < 20; i++)
        {
            sessions.Heard("a", now);
            Assert.Empty(Run(TimeSpan.FromMilliseconds(500)));
        }
    }

    [Fact]
    public void Who_stops_is_told_after_a_second_and_again_ever_more_rarely()
    {
        sessions.Heard("a", now);
        sessions.Heard("b", now);
        List<double> told = [];
        Instant start = now;
        for (int i = 0; i < 200; i++)
        {
            sessions.Heard("b", now);
            foreach ((string name, Instant at) in Run(TimeSpan.FromMilliseconds(500)))
            {
                Assert.Equal("a", name);
                told.Add(Math.Round((at - start).TotalSeconds));
            }
        }

        Assert.Equal([1, 2, 4, 8, 16, 32, 62, 92], told);
    }

    [Fact]
    public void A_loop_that_comes_late_blames_nobody_for_what_it_missed()
    {
        sessions.Heard("a", now);
        now += TimeSpan.FromSeconds(10);
        Assert.Empty(sessions.Advance(now));
        Assert.Equal(["a"], Run(Silence).Select(static t => t.Name));
    }

    [Fact]
    public void A_session_that_was_closed_proves_nothing()
    {
        sessions.Heard("a", now);
        sessions.Closed("a");
        Assert.Empty(Run(TimeSpan.FromSeconds(5)));
        Assert.Null(sessions.HeardAt("a"));
        Assert.Equal(Instant.Never, sessions.NextDeadline);
    }

    private List<(string Name, Instant At)> Run(TimeSpan time)
    {
        List<(string, Instant)> told = [];
        Instant end = now + time;
        while (sessions.NextDeadline <= end)
        {
            now = sessions.NextDeadline;
            told.AddRange(sessions.Advance(now).Select(n => (n, now)));
        }

        now = end;
        return told;
    }
}
