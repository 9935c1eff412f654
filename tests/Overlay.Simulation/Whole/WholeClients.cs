using Overlay.Cluster;
using Overlay.Cluster.Intents;
using Overlay.Primitives;
using Overlay.Simulation.Linearizability;
using Overlay.V1;

namespace Overlay.Simulation.Whole;

/// <summary>
/// Callers of the managers' API: each one call at a time, asked again under the same request id when no answer comes or the
/// answer is that nothing is known, given up in the end. What they saw is kept for the checker.
/// </summary>
internal sealed class WholeClients(WholeWorld world, Prng prng)
{
    private const int MostNetworks = 12;
    private const int MostNodes = 6;
    private readonly List<Operation<HolderInput, HolderOutput>> history = [];
    private readonly SortedDictionary<string, bool?> networks = new(StringComparer.Ordinal);
    private readonly List<WholeCall> open = [];
    private ulong numbers = 2000;
    private int idle;
    private bool stopping;

    public long Acknowledged { get; private set; }

    public bool AreIdle => stopping && idle == world.Swarm.Clients;

    public IEnumerable<string> Open => open.Select(static c => c.ToString());

    public void Begin()
    {
        for (int i = 0; i < world.Swarm.Clients; i++)
        {
            int client = i;
            world.Later((long)(world.Swarm.Think * prng.NextDouble()), () => Call(client));
        }
    }

    /// <summary>No new calls; those under way end.</summary>
    public void Stop() => stopping = true;

    /// <summary>At the end: what was seen could have happened in an order, and what was acknowledged is still there.</summary>
    public void Judge()
    {
        foreach ((string id, bool? there) in networks)
        {
            NetworkObject? network = world.Truth[world.Truth.Last].State.Network(id);
            WholeWatch.Require(there is null || there == network is not null, "clients", $"network {id} is {(there == true ? "lost" : "back")}");
        }

        LinearizabilityVerdict verdict = LinearizabilityChecker.Check<HolderModel, long, HolderInput, HolderOutput>(default, history, 5_000_000);
        if (verdict.Result == LinearizabilityResult.Violated)
        {
            throw new ViolationException(verdict.ToString());
        }

        if (verdict.Result == LinearizabilityResult.Linearizable && history.Count > 20)
        {
            world.Counters.Add(WholeSometimes.HistoryChecked);
        }
    }

    private void Call(int client)
    {
        if (stopping)
        {
            idle++;
            return;
        }

        WholeCall call = Draw(client);
        open.Add(call);
        call.Begin();
    }

    public void Ended(WholeCall call)
    {
        open.Remove(call);
        Keep(call);
        long think = world.IsCalm ? Math.Min(world.Swarm.Think, 100 * WholeSwarm.Millisecond) : world.Swarm.Think;
        world.Later((long)(think * 2 * prng.NextDouble()), () => Call(call.Client));
    }

    private void Keep(WholeCall call)
    {
        bool done = call.Outcome == AnswerKind.Done;
        if (done && call.Request.Length > 0 && call.Verb != WholeVerb.Look)
        {
            Acknowledged++;
            world.Counters.Add(WholeSometimes.WriteAcknowledged);
            WholeWatch.Require(
                !call.Wrote || world.Truth.Applied(call.Request) is not null, "clients", $"{call} is acknowledged and was never applied");
        }

        switch (call.Verb)
        {
            case WholeVerb.CreateNetwork:
                networks[call.Target] = done ? true : call.Outcome == AnswerKind.Unknown ? null : false;
                Count(done, WholeSometimes.NetworkCreated);
                break;
            case WholeVerb.RemoveNetwork:
                networks[call.Target] = done ? false : call.Outcome == AnswerKind.NotMade ? networks[call.Target] : null;
                Count(done, WholeSometimes.NetworkRemoved);
                break;
            case WholeVerb.AddNode:
                Count(done, WholeSometimes.NodeAdded);
                break;
            case WholeVerb.Sweep:
                Count(done && call.Wrote, WholeSometimes.QuarantineSwept);
                break;
            default:
                KeepHistory(call);
                break;
        }
    }

    private void KeepHistory(WholeCall call)
    {
        HolderInput input = new(
            call.Verb switch { WholeVerb.Take => HolderVerb.Take, WholeVerb.Release => HolderVerb.Release, _ => HolderVerb.Look }, (long)call.Endpoint);
        switch (call.Outcome)
        {
            case AnswerKind.Done or AnswerKind.Refused:
                HolderOutput output = new(call.Found, call.Outcome == AnswerKind.Done);
                history.Add(new(call.Client, call.Address, input, output, call.CalledAt, world.Now));
                world.Mix((ulong)call.Found ^ call.Endpoint);
                break;
            case AnswerKind.Unknown when call.Verb != WholeVerb.Look:
                world.Counters.Add(WholeSometimes.WriteAmbiguous);
                history.Add(new(call.Client, call.Address, input, default, call.CalledAt, Operation<HolderInput, HolderOutput>.NoAnswer));
                break;
        }

        Count(call is { Verb: WholeVerb.Take, Outcome: AnswerKind.Done }, WholeSometimes.AddressTaken);
        Count(call is { Verb: WholeVerb.Take, Outcome: AnswerKind.Refused }, WholeSometimes.AddressConflict);
        Count(call is { Verb: WholeVerb.Release, Outcome: AnswerKind.Done }, WholeSometimes.AddressReleased);
    }

    private void Count(bool holds, WholeSometimes thing)
    {
        if (holds)
        {
            world.Counters.Add(thing);
        }
    }

    private WholeCall Draw(int client)
    {
        ulong number = ++numbers;
        int address = prng.Next(world.Swarm.Addresses);
        string request = $"r{number}";
        ClusterState present = world.Truth[world.Truth.Last].State;
        switch (prng.Next(20))
        {
            case < 6:
                return Take(client, address, number, request);
            case < 11:
                ReservationObject? held = present.Reservation($"{Beginning.HeldNetwork}/{Beginning.Address(address)}");
                ulong endpoint = held is not null ? NumberOf(held) : number;
                return Release(client, address, prng.Chance(0.8) ? endpoint : number, request);
            case < 15:
                return new(world, this, prng, client, WholeVerb.Look) { Address = address };
            case < 17 when present.NetworkCount < MostNetworks:
                string id = new NetworkId(number).ToString();
                NetworkSpec spec = new() { Id = id, Name = $"net-{number}" };
                networks[id] = null;
                return new(world, this, prng, client, WholeVerb.CreateNetwork)
                {
                    Request = request,
                    Target = id,
                    NewWork = (r, a) => Work(i => i.CreateNetwork(spec), r, a),
                };
            case < 18 when networks.FirstOrDefault(static n => n.Value == true).Key is { } mine:
                networks[mine] = null;
                return new(world, this, prng, client, WholeVerb.RemoveNetwork)
                {
                    Request = request,
                    Target = mine,
                    NewWork = (r, a) => Work(i => i.RemoveNetwork(mine), r, a),
                };
            case < 19 when present.NodeCount < MostNodes:
                NodeObject node = Beginning.NodeOf(number, NodeRole.Worker);
                return new(world, this, prng, client, WholeVerb.AddNode)
                {
                    Request = request,
                    NewWork = (r, a) => Work(i => i.AddNode(node), r, a),
                };
            default:
                return new(world, this, prng, client, WholeVerb.Sweep) { NewWork = Sweep };
        }
    }

    private WholeCall Take(int client, int address, ulong number, string request)
    {
        string endpoint = new EndpointId(number).ToString();
        return new(world, this, prng, client, WholeVerb.Take)
        {
            Request = request,
            Address = address,
            Endpoint = number,
            NewWork = (r, a) => Work(i => i.ReserveAddress(Beginning.HeldNetwork, Beginning.Address(address), Beginning.Holder, endpoint), r, a),
        };
    }

    private WholeCall Release(int client, int address, ulong number, string request)
    {
        string endpoint = new EndpointId(number).ToString();
        return new(world, this, prng, client, WholeVerb.Release)
        {
            Request = request,
            Address = address,
            Endpoint = number,
            NewWork = (r, a) => Work(i => i.ReleaseAddress(Beginning.HeldNetwork, Beginning.Address(address), Beginning.Holder, endpoint), r, a),
        };
    }

    public static ulong NumberOf(ReservationObject held)
    {
        ulong value = 0;
        foreach (char c in held.EndpointId)
        {
            value = (value << 5) | (uint)"0123456789abcdefghjkmnpqrstvwxyz".IndexOf(c, StringComparison.Ordinal);
        }

        return value;
    }

    private static SimWork<T> Work<T>(Func<Intent, Outcome<Proposal<T>>> compute, string request, Action<ManagerAnswer> answered)
        where T : notnull => new(new(compute, request), answered);

    private static SimWork<Transaction> Sweep(string request, Action<ManagerAnswer> answered) => new(
        new(
            static intent =>
            {
                Transaction sweep = intent.SweepQuarantine();
                return new Proposal<Transaction>(sweep, sweep);
            },
            ""),
        answered);
}
