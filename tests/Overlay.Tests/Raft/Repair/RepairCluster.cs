using System.Collections.Immutable;
using Overlay.Daemon.Storage;
using Overlay.Primitives;
using Overlay.Raft;
using Overlay.Raft.Repair;
using Overlay.Tests.Daemon.Storage;

namespace Overlay.Tests.Raft.Repair;

/// <summary>Members that all start from their folders at once, and ask each other for what is damaged.</summary>
internal sealed class RepairCluster : IDisposable
{
    private readonly SortedDictionary<MemberId, Member> members = [];

    public IReadOnlyDictionary<MemberId, Member> Members => members;

    public static LogOptions OptionsOf(MemberId member) =>
        new() { Limits = LogRig.Small, Identity = new("c1", member), AllowDamage = true };

    public void Start(MemberId id, IEnumerable<KeyValuePair<string, ReadOnlyMemory<byte>>> image) => members[id] = new(id, new(image));

    /// <summary>They talk until nothing changes any more.</summary>
    /// <param name="silent">Who does not answer.</param>
    public void Settle(params MemberId[] silent)
    {
        Instant now = new(0);
        for ((int quiet, int rounds) = (0, 0); quiet < 5; quiet++)
        {
            Assert.True(++rounds < 100, "they come to an end");
            now += TimeSpan.FromSeconds(1);
            foreach (Member member in members.Values.Where(m => m.Repair is null && m.Store is not null && m.Found!.Damaged.Count > 0))
            {
                member.Begin(members.Keys, now);
            }

            foreach (Member member in members.Values.Where(static m => m.Repair is not null))
            {
                Ask(member, silent, now);
            }

            foreach (Member member in members.Values.Where(static m => m.Repair is not null))
            {
                quiet = member.Act(now, of => members[of]) ? 0 : quiet;
            }
        }
    }

    public void Dispose()
    {
        foreach (Member member in members.Values)
        {
            member.Store?.Dispose();
            member.Folder.Release();
        }
    }

    private void Ask(Member member, MemberId[] silent, Instant now)
    {
        foreach (RepairRequest request in member.Repair!.Advance(now).Where(r => !silent.Contains(r.To) && members.ContainsKey(r.To)))
        {
            if (members[request.To] is { Store: { } store } asked)
            {
                if (store.State.Term < request.Fence)
                {
                    store.WriteState(store.State with { Term = request.Fence, Vote = MemberId.None });
                }

                member.Repair.Receive(asked.Source.Answer(request, store.State.Term, isLeader: false));
            }
        }
    }

    internal sealed class Member
    {
        public Member(MemberId id, ModelFolder folder)
        {
            Id = id;
            Folder = folder;
            try
            {
                Store = LogStore.OpenAs(folder, OptionsOf(id), out LogRecovery found);
                Found = found;
                Healthy = RepairSource.Of(found);
            }
            catch (Exception e) when (e is StorageCorruptException or MemberLostException)
            {
                Refusal = e;
            }
        }

        public MemberId Id { get; }

        public ModelFolder Folder { get; }

        public LogStore? Store { get; }

        public LogRecovery? Found { get; private set; }

        public LogRepair? Repair { get; private set; }

        /// <summary>Why it does not start at all.</summary>
        public Exception? Refusal { get; }

        public List<RepairOutcome> Done { get; } = [];

        public bool IsWhole => Store is not null && Found!.Damaged.Count == 0;

        public RepairSource Source => Repair?.Source ?? Healthy!;

        private RepairSource? Healthy { get; set; }

        public void Begin(IEnumerable<MemberId> known, Instant now) => Repair = new(Id, Store!.State, Found!, known, new(), now);

        /// <returns>Something was done.</returns>
        public bool Act(Instant now, Func<MemberId, Member> member)
        {
            RepairOutcome outcome = Repair!.Next(now);
            if (outcome.Step == RepairStep.Waiting)
            {
                return false;
            }

            Done.Add(outcome);
            if (outcome.Step is RepairStep.Write or RepairStep.Cut)
            {
                ImmutableArray<LogEntry> right = [.. Repair.Right];
                Found = right.Length > 0 ? Store!.Repair(Found!, right) : Found;
                Found = outcome.Step == RepairStep.Cut ? Store!.CutDamage(Found!, outcome.From) : Found;
            }
            else
            {
                Found = Store!.Adopt(Found!, member(outcome.Member).Found!.Snapshot!);
            }

            Repair = null;
            Healthy = RepairSource.Of(Found!);
            return true;
        }
    }
}
