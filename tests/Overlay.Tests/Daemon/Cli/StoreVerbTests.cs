using System.Text.Json;
using Overlay.Daemon.Errors;
using Overlay.Daemon.Storage;
using Overlay.Raft;
using Overlay.Tests.Daemon.Storage;

namespace Overlay.Tests.Daemon.Cli;

/// <summary><c>store verify|dump|repair</c> on real files.</summary>
public sealed class StoreVerbTests : IDisposable
{
    private readonly TemporaryFolder temporary = new();
    private readonly CliSession session = new();

    private string Log => Path.Combine(temporary.Path, "log");

    private string LastSegment => Directory.EnumerateFiles(Log, "*.segment").Order(StringComparer.Ordinal).Last();

    public void Dispose() => temporary.Dispose();

    private void Fill()
    {
        using LogStore log = LogStore.Open(new DiskFolder(Log), LogRig.Small, out _);
        log.Append([.. Enumerable.Range(1, 8).Select(static i => LogRig.Entry((ulong)i))]);
        LogRig.TakeSnapshot(log);
        log.Append([.. Enumerable.Range(9, 2).Select(static i => LogRig.Entry((ulong)i))]);
    }

    private int OffsetOfEntry9() => SegmentScan.Of(File.ReadAllBytes(LastSegment)).Offsets[^2];

    private static void Flip(string file, int at)
    {
        byte[] bytes = File.ReadAllBytes(file);
        bytes[at] ^= 1;
        File.WriteAllBytes(file, bytes);
    }

    [Fact]
    public async Task A_sound_log_is_verified_and_dumped()
    {
        Fill();
        CliResult verified = await session.RunAsync("store", "verify", Log);
        Assert.Equal((ExitCode.Ok, ""), (verified.ExitCode, verified.Error));
        Assert.StartsWith("FILE ", verified.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("damaged", verified.Out, StringComparison.Ordinal);

        // The state folder that the log is in will do too.
        CliResult dumped = await session.RunAsync("store", "dump", temporary.Path, "--format", "json");
        Assert.Equal(ExitCode.Ok, dumped.ExitCode);
        using JsonDocument rows = JsonDocument.Parse(dumped.Out);
        Assert.Equal(["9", "10"], rows.RootElement.EnumerateArray().Select(static r => r.GetProperty("index").GetString()));
        Assert.All(rows.RootElement.EnumerateArray(), static r => Assert.Equal("data", r.GetProperty("kind").GetString()));
    }

    [Fact]
    public async Task Damage_is_told_with_what_would_be_lost_and_nothing_is_changed()
    {
        Fill();
        int at = OffsetOfEntry9();
        Flip(LastSegment, at + 8);
        byte[] before = await File.ReadAllBytesAsync(LastSegment, TestContext.Current.CancellationToken);
        foreach (string verb in (string[])["verify", "repair"])
        {
            CliResult result = await session.RunAsync("store", verb, Log);
            Assert.Equal(ExitCode.Failure, result.ExitCode);
            Assert.Contains($"{Path.GetFileName(LastSegment)}: offset {at}: entry 9 does not validate", result.Error, StringComparison.Ordinal);
            Assert.Contains("9 would be lost, and 9-10 with them.", result.Error, StringComparison.Ordinal);
            Assert.Equal(before, await File.ReadAllBytesAsync(LastSegment, TestContext.Current.CancellationToken));
        }

        CliResult dumped = await session.RunAsync("store", "dump", Log, "--format", "json");
        Assert.Equal(ExitCode.Failure, dumped.ExitCode);
        using JsonDocument rows = JsonDocument.Parse(dumped.Out);
        Assert.Equal(["damaged", "whole"], rows.RootElement.EnumerateArray().Select(static r => r.GetProperty("state").GetString()));
    }

    [Fact]
    public async Task What_is_safe_alone_is_repaired()
    {
        Fill();
        string segment = LastSegment;
        long length = new FileInfo(segment).Length;
        await File.AppendAllTextAsync(segment, "half a record", TestContext.Current.CancellationToken);
        Flip(segment, 3);
        Flip(Path.Combine(Log, LogNames.Snapshot(8)), 80);
        CliResult repaired = await session.RunAsync("store", "repair", Log);
        Assert.Equal(ExitCode.Ok, repaired.ExitCode);
        Assert.Contains("did not finish", repaired.Out, StringComparison.Ordinal);
        Assert.Contains("one of the two copies of its header", repaired.Out, StringComparison.Ordinal);
        Assert.Contains($"Snapshot {LogNames.Snapshot(8)} does not validate", repaired.Out, StringComparison.Ordinal);
        Assert.Equal(length, new FileInfo(segment).Length);
        using LogStore log = LogStore.Open(new DiskFolder(Log), LogRig.Small, out LogRecovery found);
        LogRig.Check(found, 10, 10, "repaired");
    }

    [Fact]
    public async Task A_log_in_use_or_none_is_refused()
    {
        Fill();
        using (LogStore log = LogStore.Open(new DiskFolder(Log), LogRig.Small, out _))
        {
            foreach (string verb in (string[])["verify", "dump", "repair"])
            {
                CliResult used = await session.RunAsync("store", verb, Log);
                Assert.Equal(ExitCode.Conflict, used.ExitCode);
                Assert.Contains($"an agent has {Log} open. Stop it first: `systemctl stop overlayd`.", used.Error, StringComparison.Ordinal);
            }
        }

        CliResult nowhere = await session.RunAsync("store", "verify", Path.Combine(temporary.Path, "nowhere"));
        Assert.Equal(ExitCode.NotFound, nowhere.ExitCode);
        Assert.False(Directory.Exists(Path.Combine(temporary.Path, "nowhere")));
    }
}
