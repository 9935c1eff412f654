using System.Net;
using Microsoft.Extensions.Logging;
using Overlay.Daemon.Telemetry;
using Overlay.Daemon.Trust;

namespace Overlay.Tests.Daemon.Trust;

/// <summary>Trying to flood the log.</summary>
public sealed class RefusalLogTests : IDisposable
{
    private static readonly DateTimeOffset Start = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
    private readonly ManualTime time = new(Start);
    private readonly CapturedLogs logs = new();
    private readonly Instruments instruments = new();
    private readonly RefusalLog refusals;

    public RefusalLogTests() => refusals = new(new Logger<RefusalLog>(logs.Factory), time, instruments);

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        refusals.Dispose();
        instruments.Dispose();
        logs.Factory.Dispose();
        logs.Dispose();
        time.Dispose();
    }

    [Fact]
    public async Task One_source_and_reason_is_told_a_few_times_and_then_summed_up()
    {
        for (int i = 0; i < 10_000; i++)
        {
            refusals.CallRefused(new IPEndPoint(IPAddress.Parse("10.0.0.9"), i), "/overlay.v1.Control/Watch", "no certificate");
        }

        Assert.Equal(RefusalLog.MaxOfReason, logs.Warnings.Count);
        await time.PassToNextTimerAsync(Cancelled);
        Assert.Equal("Refused 9995 more without a line for each: 9995 of 10.0.0.9", logs.Warnings[^1]);
        Assert.Equal(RefusalLog.MaxOfReason + 1, logs.Warnings.Count);
        Assert.Equal(10_000, refusals.Count);
        Assert.Equal(Start + RefusalLog.Window, time.GetUtcNow());
    }

    [Fact]
    public void Reasons_of_the_callers_making_do_not_help_it()
    {
        for (int i = 0; i < 1000; i++)
        {
            refusals.HandshakeRefused(new IPEndPoint(IPAddress.Parse("10.0.0.9"), i), $"it is of cluster {i}");
        }

        Assert.Equal(RefusalLog.MaxOfSource, logs.Warnings.Count);
    }

    [Fact]
    public async Task Nor_do_many_addresses()
    {
        for (int i = 0; i < 5000; i++)
        {
            refusals.HandshakeRefused(new IPEndPoint(new IPAddress([10, 1, (byte)(i / 256), (byte)i]), 1), "PartialChain");
        }

        Assert.Equal(RefusalLog.MaxLines, logs.Warnings.Count);
        await time.PassToNextTimerAsync(Cancelled);
        Assert.Equal(
            $"Refused {5000 - RefusalLog.MaxLines} more without a line for each: each of another source", logs.Warnings[^1]);
    }

    [Fact]
    public void Nor_do_the_addresses_of_one_ipv6_network()
    {
        for (int i = 0; i < 1000; i++)
        {
            refusals.HandshakeRefused(new IPEndPoint(IPAddress.Parse($"2001:db8:1:2::{i + 1:x}"), 1), "PartialChain");
        }

        Assert.Equal(RefusalLog.MaxOfReason, logs.Warnings.Count);
        refusals.HandshakeRefused(new IPEndPoint(IPAddress.Parse("2001:db8:1:3::1"), 1), "PartialChain");
        Assert.Equal(RefusalLog.MaxOfReason + 1, logs.Warnings.Count);
    }

    [Fact]
    public void A_flood_of_one_does_not_hide_another()
    {
        for (int i = 0; i < 1000; i++)
        {
            refusals.CallRefused(new IPEndPoint(IPAddress.Parse("10.0.0.9"), i), "/x", "no certificate");
        }

        refusals.CallRefused(new IPEndPoint(IPAddress.Parse("::ffff:10.0.0.10"), 1), "/x", "no certificate");
        Assert.Contains("10.0.0.10", logs.Warnings[^1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_next_minute_tells_again_and_a_quiet_one_says_nothing()
    {
        IPEndPoint peer = new(IPAddress.Parse("10.0.0.9"), 1);
        for (int i = 0; i < 6; i++)
        {
            refusals.CallRefused(peer, "/x", "no certificate");
        }

        await time.PassToNextTimerAsync(Cancelled);
        refusals.CallRefused(peer, "/x", "no certificate");
        Assert.StartsWith("Refused /x from 10.0.0.9", logs.Warnings[^1], StringComparison.Ordinal);
        int before = logs.Warnings.Count;
        await time.PassToNextTimerAsync(Cancelled);
        Assert.Equal(before, logs.Warnings.Count);
    }

    [Fact]
    public void What_was_left_out_is_told_at_the_end()
    {
        for (int i = 0; i < 9; i++)
        {
            refusals.CallRefused(null, "/x", "no certificate");
        }

        refusals.Dispose();
        Assert.Equal("Refused 4 more without a line for each: 4 of an unknown source", logs.Warnings[^1]);
    }
}
