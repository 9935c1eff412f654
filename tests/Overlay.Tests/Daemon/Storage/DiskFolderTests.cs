using Overlay.Daemon.Storage;
using Overlay.Raft;

namespace Overlay.Tests.Daemon.Storage;

/// <summary>The log on a real file system.</summary>
public sealed class DiskFolderTests : IDisposable
{
    private readonly TemporaryFolder temporary = new();

    private string Folder => Path.Combine(temporary.Path, "log");

    public void Dispose() => temporary.Dispose();

    [Fact]
    public void What_was_appended_is_there_and_readable_by_its_owner_only()
    {
        using (LogStore log = LogStore.Open(new DiskFolder(Folder), LogRig.Small, out LogRecovery nothing))
        {
            Assert.Equal(0ul, nothing.LastIndex);
            log.Append([.. Enumerable.Range(1, 15).Select(static i => LogRig.Entry((ulong)i))]);
            LogRig.TakeSnapshot(log);
            log.Append([LogRig.Entry(16)]);
            log.Append([]);
        }

        using LogStore again = LogStore.Open(new DiskFolder(Folder), LogRig.Small, out LogRecovery found);
        LogRig.Check(found, 16, 16, "on disk");
        Assert.Equal(15ul, found.Snapshot!.Index);
        Assert.Equal(15ul, again.SnapshotIndex);
        Assert.Equal(DurableFile.PrivateFolder, File.GetUnixFileMode(Folder));
        Assert.All(
            Directory.EnumerateFiles(Folder).Where(static f => !f.EndsWith("/lock", StringComparison.Ordinal)),
            static f => Assert.Equal(DurableFile.Private, File.GetUnixFileMode(f)));
    }

    [Fact]
    public void A_folder_in_use_names_the_agent_that_uses_it()
    {
        using LogStore log = LogStore.Open(Folder, out _);
        StorageLockedException refusal = Assert.Throws<StorageLockedException>(() => LogStore.Open(Folder, out _));
        Assert.Equal(
            $"another agent uses {Folder} (pid {Environment.ProcessId}): stop that one with `kill {Environment.ProcessId}`, "
                + "or give this one a folder of its own with `overlayd run --state-dir`",
            refusal.Message);
        File.WriteAllText(Path.Combine(temporary.Path, "other"), "");
        Assert.Equal([], DurableFile.ReadLocked(Path.Combine(temporary.Path, "nothing"), 20));
    }

    [Fact]
    public void The_lock_goes_with_the_process_that_had_it()
    {
        LogStore.Open(Folder, out _).Dispose();
        File.WriteAllText(Path.Combine(Folder, FolderLock.FileName), "4194304000");
        LogStore.Open(Folder, out LogRecovery found).Dispose();
        Assert.Null(found.Fault);
    }

    [Fact]
    public void A_file_longer_than_any_can_be_is_refused_without_being_read()
    {
        LogStore.Open(Folder, out _).Dispose();
        string path = Path.Combine(Folder, LogNames.Segment(1, 1));
        using (FileStream file = File.Create(path))
        {
            file.SetLength(1L << 40);
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        StorageCorruptException refusal = Assert.Throws<StorageCorruptException>(() => LogStore.Open(Folder, out _));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
        Assert.Contains($"{path} is damaged (it cannot be read: it has 1099511627776 bytes", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_under_the_name_of_a_segment_is_told()
    {
        LogStore.Open(Folder, out _).Dispose();
        Directory.CreateDirectory(Path.Combine(Folder, LogNames.Segment(1, 1)));
        using LogStore log = LogStore.Open(Folder, out LogRecovery found);
        Assert.Null(found.LastSegment);
        StorageWriteException failed = Assert.Throws<StorageWriteException>(() => log.Append([LogRig.Entry(1)]));
        Assert.StartsWith($"{Path.Combine(Folder, LogNames.Segment(1, 1))} could not be written (", failed.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Corruption_tells_what_to_type()
    {
        using (LogStore log = LogStore.Open(Folder, out _))
        {
            log.Append([LogRig.Entry(1), LogRig.Entry(2)]);
        }

        string path = Path.Combine(Folder, LogNames.Segment(1, 1));
        byte[] bytes = File.ReadAllBytes(path);
        bytes[SegmentFormat.EntriesOffset] ^= 1;
        File.WriteAllBytes(path, bytes);
        Assert.Equal(
            $"{path} is damaged (offset 1048576: entry 1 does not validate, though entries up to 2 were durable): see what is left "
                + $"with `overlayd store repair`, put a backup of {Folder} in its place and type `systemctl restart overlayd`, or, to keep it and begin "
                + $"from a backup of the cluster, `mv {temporary.Path} {temporary.Path}.damaged && systemctl restart overlayd && "
                + "overlayd restore FILE` (without one, `overlayd init`)",
            Assert.Throws<StorageCorruptException>(() => LogStore.Open(Folder, out _)).Message);
        Assert.Equal(bytes, File.ReadAllBytes(path));
    }

    [Fact]
    public void A_file_that_may_not_grow_is_a_failure_of_the_disk_and_not_of_the_program()
    {
        using DiskFolder folder = new(Folder);
        using ILogFile file = folder.Create("x");
        IOException failed = Assert.Throws<IOException>(() => file.Write(long.MaxValue - 1, [1]));
        Assert.Equal("File too large", failed.Message);
    }

    [Fact]
    public void The_free_space_is_that_of_the_file_system()
    {
        using DiskFolder folder = new(Folder);
        Assert.InRange(folder.FreeBytes, 0, new DriveInfo("/").TotalSize * 16);
        using LogStore log = LogStore.Open(new ModelFolder { FreeBytes = folder.FreeBytes }, new() { FreeBytesFloor = long.MaxValue }, out _);
        Assert.NotNull(log.Shortage());
    }
}
