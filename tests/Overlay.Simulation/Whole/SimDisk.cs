using Overlay.Primitives;

namespace Overlay.Simulation.Whole;

/// <summary>The process or the machine ends in the middle of an operation of the disk.</summary>
internal sealed class SimCrashException() : Exception("the machine stops here");

/// <summary>
/// One folder on one disk, as long as that is not wiped. Bytes and lengths are durable when their file is synced, names when
/// the folder is; what is not may be there after a power failure, whole, in part or not at all, in any order.
/// </summary>
internal sealed class SimDisk(Prng prng)
{
    private readonly SortedDictionary<string, SimFile> names = new(StringComparer.Ordinal);
    private readonly List<(string? From, string? To, SimFile? File)> pendingNames = [];
    private SortedDictionary<string, SimFile> durableNames = new(StringComparer.Ordinal);

    /// <summary>So many operations still succeed, then the machine stops; negative: it does not.</summary>
    public int Fuse { get; set; } = -1;

    /// <summary>The chance of an error of each operation.</summary>
    public double FailChance { get; set; }

    public bool IsFull { get; set; }

    /// <summary>The last operation that failed; empty: none did.</summary>
    public string Failed { get; private set; } = "";

    /// <summary>A hash of everything that was written.</summary>
    public ulong Print { get; private set; } = 14695981039346656037;

    public IReadOnlyDictionary<string, SimFile> Files => names;

    public SimFile Create(string name)
    {
        Step("create", mayFill: true);
        SimFile file = new();
        names[name] = file;
        pendingNames.Add((null, name, file));
        Mix((ulong)name.Length);
        return file;
    }

    public void Rename(string from, string to)
    {
        Step("rename", mayFill: false);
        if (!names.Remove(from, out SimFile? file))
        {
            throw new FileNotFoundException(from);
        }

        names[to] = file;
        pendingNames.Add((from, to, file));
    }

    public void Link(string from, string to)
    {
        Step("link", mayFill: false);
        SimFile file = names.TryGetValue(from, out SimFile? there) ? there : throw new FileNotFoundException(from);
        names[to] = file;
        pendingNames.Add((null, to, file));
    }

    public void Delete(string name)
    {
        Step("delete", mayFill: false);
        if (names.Remove(name))
        {
            pendingNames.Add((name, null, null));
        }
    }

    public void Sync()
    {
        Step("sync of the folder", mayFill: false);
        durableNames = new(names, StringComparer.Ordinal);
        pendingNames.Clear();
    }

    public void Write(SimFile file, long offset, ReadOnlySpan<byte> bytes)
    {
        byte[] copy = bytes.ToArray();
        try
        {
            Step("write", mayFill: offset + bytes.Length > file.Cached.Length);
        }
        catch (SimCrashException)
        {
            file.Write((int)offset, copy[..prng.Next(copy.Length + 1)]);
            throw;
        }

        Mix((ulong)offset);
        Mix(Overlay.Raft.Crc32C.Of(copy));
        file.Write((int)offset, copy);
    }

    public void SetLength(SimFile file, long length)
    {
        Step("truncate", mayFill: false);
        file.SetLength((int)length);
    }

    public void Sync(SimFile file)
    {
        try
        {
            Step("sync", mayFill: false);
        }
        catch (IOException)
        {
            file.FailSync();
            throw;
        }

        file.Sync();
    }

    /// <summary>The process was killed. What it has written the kernel writes out, sooner or later.</summary>
    public void Kill()
    {
        Fuse = -1;
        if (prng.Chance(0.3))
        {
            foreach (SimFile file in names.Values)
            {
                file.Flush();
            }

            durableNames = new(names, StringComparer.Ordinal);
            pendingNames.Clear();
        }
    }

    public void PowerFail()
    {
        Fuse = -1;
        SortedDictionary<string, SimFile> there = new(durableNames, StringComparer.Ordinal);
        int journalled = prng.Next(pendingNames.Count + 1);
        for (int i = 0; i < pendingNames.Count; i++)
        {
            (string? from, string? to, SimFile? file) = pendingNames[i];
            // Names change in order; but deletions may reach the disk in any.
            if (i < journalled || (to is null && prng.Chance(0.5)))
            {
                if (to is null)
                {
                    there.Remove(from!);
                }
                else if (from is null || there.Remove(from))
                {
                    there[to] = file!;
                }
            }
        }

        foreach (SimFile file in there.Values.Distinct())
        {
            file.PowerFail(prng);
        }

        names.Clear();
        foreach ((string name, SimFile file) in there)
        {
            names[name] = file;
        }

        durableNames = there;
        pendingNames.Clear();
    }

    public void Remove(string name)
    {
        names.Remove(name);
        durableNames.Remove(name);
    }

    /// <summary>Everything is durable as it is: where a run begins.</summary>
    public void Settle()
    {
        foreach (SimFile file in names.Values)
        {
            file.Sync();
        }

        durableNames = new(names, StringComparer.Ordinal);
        pendingNames.Clear();
    }

    private void Step(string what, bool mayFill)
    {
        if (Fuse >= 0 && Fuse-- == 0)
        {
            throw new SimCrashException();
        }

        if (mayFill && IsFull)
        {
            Failed = what;
            throw new IOException("No space left on device");
        }

        if (FailChance > 0 && prng.Chance(FailChance))
        {
            Failed = what;
            throw new IOException($"Input/output error ({what})");
        }
    }

    private void Mix(ulong value) => Print = (Print ^ value ^ (Print >> 29)) * 0x9E3779B97F4A7C15;
}
