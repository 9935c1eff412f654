using Overlay.Primitives;

namespace Overlay.Tests.Daemon.Storage;

/// <summary>
/// What a disk may hold when everything stops in the middle of a journal. After a kill: all that was written, up to any
/// byte of the last write. After a power failure: what was synced, and of the rest an arbitrary choice of sectors,
/// lengths and names. Sectors are smaller than a disk's at times, so that small records are torn too.
/// </summary>
internal sealed class CrashModel
{
    private static readonly int[] AtomicSizes = [16, 64, 512];
    private readonly Prng prng;
    private readonly List<ModelFile> files = [];
    private readonly List<DiskOperation> pendingNames = [];
    private readonly SortedDictionary<string, int> names = new(StringComparer.Ordinal);
    private SortedDictionary<string, int> durableNames;

    /// <param name="start">What is durable before the journal begins.</param>
    public CrashModel(IEnumerable<KeyValuePair<string, ReadOnlyMemory<byte>>> start, Prng prng)
    {
        this.prng = prng;
        foreach ((string name, ReadOnlyMemory<byte> bytes) in start)
        {
            names[name] = files.Count;
            files.Add(new(bytes));
        }

        durableNames = new(names, StringComparer.Ordinal);
    }

    /// <summary>Everything up to and with this operation has happened.</summary>
    public void Apply(DiskOperation operation)
    {
        switch (operation)
        {
            case DiskOperation.Create create:
                Assert.Equal(files.Count, create.File);
                files.Add(new(default));
                Name(names, operation);
                pendingNames.Add(operation);
                break;
            case DiskOperation.Rename or DiskOperation.Delete or DiskOperation.Link:
                Name(names, operation);
                pendingNames.Add(operation);
                break;
            case DiskOperation.Write write:
                files[write.File].Bytes.Write(write.Offset, write.Bytes);
                files[write.File].Pending.Add(write);
                break;
            case DiskOperation.SetLength cut:
                files[cut.File].Bytes.SetLength(cut.Length);
                files[cut.File].Pending.Add(cut);
                break;
            case DiskOperation.SyncFile sync:
                files[sync.File].Sync();
                break;
            case DiskOperation.SyncFolder:
                durableNames = new(names, StringComparer.Ordinal);
                pendingNames.Clear();
                break;
        }
    }

    /// <summary>The process is killed when so many bytes of the next write are done. Valid until the next call.</summary>
    public SortedDictionary<string, ReadOnlyMemory<byte>> AfterKill(DiskOperation.Write? next, int bytes)
    {
        if (next is not null)
        {
            files[next.File].Bytes.Write(next.Offset, next.Bytes.AsSpan(0, bytes));
        }

        return new(names.ToDictionary(static n => n.Key, n => files[n.Value].Bytes.Memory), StringComparer.Ordinal);
    }

    /// <summary>The power fails. Valid until the next call.</summary>
    public SortedDictionary<string, ReadOnlyMemory<byte>> AfterPowerFailure()
    {
        SortedDictionary<string, int> there = new(durableNames, StringComparer.Ordinal);
        int journalled = prng.Next(pendingNames.Count + 1);
        for (int i = 0; i < pendingNames.Count; i++)
        {
            // Names change in order; but deletions may reach the disk in any.
            if (i < journalled || (pendingNames[i] is DiskOperation.Delete && prng.Chance(0.5)))
            {
                Name(there, pendingNames[i]);
            }
        }

        SortedDictionary<string, ReadOnlyMemory<byte>> image = new(StringComparer.Ordinal);
        foreach ((string name, int file) in there)
        {
            ModelBytes bytes = new(files[file].Durable.Memory);
            foreach (DiskOperation pending in files[file].Pending)
            {
                if (pending is DiskOperation.Write write)
                {
                    Tear(bytes, write);
                }
                else if (prng.Chance(0.5))
                {
                    bytes.SetLength(((DiskOperation.SetLength)pending).Length);
                }
            }

            image[name] = bytes.Memory;
        }

        return image;
    }

    private void Tear(ModelBytes bytes, DiskOperation.Write write)
    {
        bool longer = prng.Chance(0.5);
        int sector = AtomicSizes[prng.Next(AtomicSizes.Length)];
        if (longer && bytes.Memory.Length < write.Offset + write.Bytes.Length)
        {
            bytes.SetLength(write.Offset + write.Bytes.Length);
        }

        for (int at = 0; at < write.Bytes.Length;)
        {
            int place = write.Offset + at;
            int length = Math.Min(sector - (place % sector), write.Bytes.Length - at);
            if (prng.Chance(0.5) && place + length <= bytes.Memory.Length)
            {
                bytes.Write(place, write.Bytes.AsSpan(at, length));
            }

            at += length;
        }
    }

    private static void Name(SortedDictionary<string, int> names, DiskOperation operation)
    {
        switch (operation)
        {
            case DiskOperation.Create create:
                names[create.Name] = create.File;
                break;
            case DiskOperation.Rename rename when names.Remove(rename.From, out int file):
                names[rename.To] = file;
                break;
            case DiskOperation.Link link when names.TryGetValue(link.From, out int linked):
                names[link.To] = linked;
                break;
            case DiskOperation.Delete delete:
                names.Remove(delete.Name);
                break;
        }
    }

    private sealed class ModelFile(ReadOnlyMemory<byte> durable)
    {
        public ModelBytes Bytes { get; } = new(durable);

        public ModelBytes Durable { get; } = new(durable);

        public List<DiskOperation> Pending { get; } = [];

        public void Sync()
        {
            foreach (DiskOperation operation in Pending)
            {
                if (operation is DiskOperation.Write write)
                {
                    Durable.Write(write.Offset, write.Bytes);
                }
                else
                {
                    Durable.SetLength(((DiskOperation.SetLength)operation).Length);
                }
            }

            Pending.Clear();
        }
    }
}
