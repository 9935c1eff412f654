using Overlay.Daemon.Manager.Replication;
using Overlay.Daemon.Storage;
using Overlay.Raft;

namespace Overlay.Simulation.Whole;

/// <summary>Starts and ends of every kind.</summary>
internal sealed partial class WholeNode
{
    private bool? crashAtWrite;

    public void Start()
    {
        if (IsUp || Repair is not null || IsLost)
        {
            return;
        }

        Life++;
        if (World.Swarm.Encrypted && prng.Chance(0.3))
        {
            NewKey();
            World.Counters.Add(WholeSometimes.KeyRotated);
        }

        if (World.Swarm.CrashesAtStart && !World.IsCalm && prng.Chance(0.3))
        {
            Disk.Fuse = prng.Next(10);
        }

        if (World.Trace)
        {
            Say($"opens {string.Join("; ", LogReport.Files(new SimFolder(Disk)).Select(static row => string.Join(' ', row)))}");
        }

        try
        {
            log = LogStore.OpenAs(new SimFolder(Disk), OptionsOfLog, out LogRecovery found);
            Disk.Fuse = -1;
            Opened(found);
        }
        catch (SimCrashException)
        {
            World.Counters.Add(WholeSometimes.CrashAtStart);
            Say("stops inside a start");
            Ended(power: prng.Chance(0.6));
        }
        catch (StorageWriteException e)
        {
            Say($"cannot start: {e.Message}");
            Ended(power: false);
        }
        catch (Exception e) when (e is MemberLostException or StorageCorruptException)
        {
            Say($"is lost: {e.Message}");
            WholeWatch.Require(HasDecayed, this, $"a sound disk is refused: {e.Message}");
            Lose();
        }
    }

    /// <summary>The process or the power ends: now, or in the middle of what it writes next.</summary>
    public void CrashSoon(bool power)
    {
        if (IsUp && !writer!.IsBusy)
        {
            crashAtWrite = power;
        }
        else
        {
            Crash(power);
        }
    }

    /// <summary>The log's thread begins something.</summary>
    public void Writing(long delay)
    {
        if (crashAtWrite is { } power)
        {
            crashAtWrite = null;
            Later((long)(delay * prng.NextDouble()), () => Crash(power));
        }
    }

    /// <summary>The process or the power ends.</summary>
    public void Crash(bool power)
    {
        if (!IsUp && Repair is null)
        {
            return;
        }

        World.Counters.Add(power ? WholeSometimes.PowerFailure : WholeSometimes.Kill);
        if (power && IsLeading)
        {
            World.Counters.Add(WholeSometimes.LeaderPowerFailure);
        }

        writer?.Crash();
        Ended(power);
        Say($"has {string.Join(' ', Disk.Files.Select(static f => $"{f.Key}:{f.Value.Cached.Length}"))}");
        Say($"{(power ? "loses power" : "is killed")}; durable were {Durable.Snapshot} to {Durable.LastIndex}, {Durable.State}");
    }

    /// <summary>As systemd stops it.</summary>
    public void Stop()
    {
        if (IsUp)
        {
            World.Counters.Add(WholeSometimes.GracefulStop);
            Say("is stopped");
            ((IStateMachine)Loop!).End(null);
            writer!.Dispose();
            if (writer.Failure is null)
            {
                log!.Dispose();
            }

            Ended(power: false);
        }
    }

    /// <summary>Its disk is replaced by an empty one, or must not be used any more: it is another member from now on.</summary>
    public void Lose()
    {
        Disk.Fuse = -1;
        Forget();
        IsLost = true;
        World.Counters.Add(WholeSometimes.MemberLost);
        World.Later((long)(WholeSwarm.Second * prng.NextDouble()), Begin);
    }

    /// <summary>A disk with nothing on it, and another id.</summary>
    public void Wipe()
    {
        Forget();
        Disk = new(new(prng.NextUInt64()));
        Durable = new();
        Id = new(Id.Value + 256);
        keys = [];
        NewKey();
        IsLost = false;
        HasDecayed = false;
        InFlight = null;
        SeenTerm = 0;
        SeenCommit = 0;
    }

    public void Heal()
    {
        PausedUntil = Math.Min(PausedUntil, World.Now);
        SlowDiskUntil = Math.Min(SlowDiskUntil, World.Now);
        Disk.FailChance = 0;
        Disk.IsFull = false;
        Wall(TimeSpan.Zero);
        Start();
        Poke();
    }

    private void Begin()
    {
        if (IsLost)
        {
            Wipe();
            Say("begins anew");
            Start();
        }
    }

    private void Opened(LogRecovery found)
    {
        if (World.Swarm.Encrypted)
        {
            World.Counters.Add(WholeSometimes.EncryptedStart);
        }

        if (found.Notes.Any(static note => note.Contains("it was cut off", StringComparison.Ordinal)))
        {
            World.Counters.Add(WholeSometimes.TornTailCut);
        }

        if (InFlight is { } write)
        {
            Durable.CutFrom(write.TruncateFrom > 0 ? write.TruncateFrom : ulong.MaxValue);
            if (write.Install is { } mark && found.Snapshot?.Mark == mark)
            {
                Durable.Install(mark);
            }
        }

        World.Watch.Recovered(this, found, log!.State);
        if (HasDecayed && found.Fault is not null)
        {
            World.Counters.Add(WholeSometimes.DecayFound);
        }
        else if (HasDecayed && found.Notes.Any(static note => note.Contains("napshot", StringComparison.Ordinal)))
        {
            World.Counters.Add(WholeSometimes.DecayOfSnapshotFound);
        }

        if (found.ToSeal is not null || found.Segments.Count > 1)
        {
            World.Counters.Add(WholeSometimes.SegmentBegun);
        }

        TakeDurable(found);
        Say($"starts with {log.State}, snapshot {found.Snapshot?.Mark}, entries to {found.LastIndex}, damaged {string.Join(' ', found.Damaged)}");
        if (found.Damaged.Count > 0)
        {
            BeginRepair(found);
        }
        else
        {
            Run(found);
        }
    }

    /// <summary>What a log with damage ends with may be in the kernel only: nothing is written again before it is whole.</summary>
    private void TakeDurable(LogRecovery found)
    {
        ulong last = Durable.LastIndex;
        Durable.Take(log!.State, found);
        if (found.Damaged.Count > 0)
        {
            Durable.CutFrom(last + 1);
        }
    }

    private void Ended(bool power)
    {
        Forget();
        if (power)
        {
            Disk.PowerFail();
        }
        else
        {
            Disk.Kill();
        }

        StartLater();
    }

    private void StartLater()
    {
        long most = World.IsCalm ? WholeSwarm.Second / 10 : 3 * WholeSwarm.Second;
        int life = Life;
        World.Later((long)(most * prng.NextDouble() * prng.NextDouble()), () =>
        {
            if (Life == life)
            {
                World.Decay(this);
                Start();
            }
        });
    }
}
