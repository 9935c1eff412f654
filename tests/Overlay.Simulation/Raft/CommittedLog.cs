using Overlay.Primitives;
using Overlay.Raft;

namespace Overlay.Simulation.Raft;

/// <summary>An entry that will stay, and what is true once it is applied.</summary>
/// <param name="CommitTerm">The term of the leader that committed it: leaders of later terms must have it.</param>
/// <param name="Hash">A hash of all entries up to this one: the state machine's.</param>
/// <param name="Configuration">The configuration that holds from here on.</param>
internal readonly record struct CommittedEntry(LogEntry Entry, ulong CommitTerm, ulong Hash, Configuration Configuration);

/// <summary>
/// The one log that all nodes must agree on, kept by the simulation as soon as a leader says that an entry is committed;
/// and the state machine on top, a few registers with requests applied once.
/// </summary>
internal sealed class CommittedLog
{
    private readonly List<CommittedEntry> entries = [];
    private readonly List<(ulong Index, long Value)>[] registers;
    private readonly Dictionary<ulong, (ulong Index, long Found)> requests = [];

    public CommittedLog(Configuration initial, int keys)
    {
        registers = new List<(ulong, long)>[keys];
        for (int i = 0; i < keys; i++)
        {
            registers[i] = [(0, 0)];
        }

        Initial = initial;
    }

    public Configuration Initial { get; }

    public ulong Last => (ulong)entries.Count;

    public long Repeated { get; private set; }

    public CommittedEntry this[ulong index] => entries[(int)index - 1];

    public ulong TermAt(ulong index) => index == 0 ? 0 : this[index].Entry.Term;

    public ulong HashAt(ulong index) => index == 0 ? Seed : this[index].Hash;

    public Configuration ConfigurationAt(ulong index) => index == 0 ? Initial : this[index].Configuration;

    private static ulong Seed => 0x6C6F67;

    public void Add(in LogEntry entry, ulong commitTerm)
    {
        Configuration configuration = ConfigurationAt(Last);
        if (entry.Kind == EntryKind.Configuration)
        {
            Invariant.Holds(Configuration.TryRead(entry.Data.Span, out Configuration? next), "a configuration entry can be read");
            configuration = next!;
        }
        else if (entry.Kind == EntryKind.Data)
        {
            Apply(Command.Read(entry.Data.Span), entry.Index);
        }

        entries.Add(new(entry, commitTerm, Chain(HashAt(Last), entry), configuration));
    }

    /// <summary>What a register held once everything up to <paramref name="index"/> was applied.</summary>
    public long ValueAt(int key, ulong index)
    {
        List<(ulong Index, long Value)> history = registers[key];
        int at = history.Count - 1;
        while (history[at].Index > index)
        {
            at--;
        }

        return history[at].Value;
    }

    /// <summary>The first application of a request: where, and what its register held before.</summary>
    public bool TryResult(ulong request, out (ulong Index, long Found) result) => requests.TryGetValue(request, out result);

    private void Apply(in Command command, ulong index)
    {
        long found = ValueAt(command.Key, index);
        if (!requests.TryAdd(command.Request, (index, found)))
        {
            Repeated++;
            return;
        }

        if (!command.IsSwap || found == command.Expected)
        {
            registers[command.Key].Add((index, command.Value));
        }
    }

    private static ulong Chain(ulong hash, in LogEntry entry)
    {
        hash = (hash ^ entry.Index) * 0x9E3779B97F4A7C15;
        hash = (hash ^ (hash >> 31) ^ entry.Term ^ ((ulong)entry.Kind << 56)) * 0xBF58476D1CE4E5B9;
        foreach (byte value in entry.Data.Span)
        {
            hash = (hash ^ value) * 0x100000001B3;
        }

        return hash ^ (hash >> 29);
    }
}
