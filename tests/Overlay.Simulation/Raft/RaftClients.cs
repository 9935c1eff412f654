using Overlay.Primitives;
using Overlay.Raft;
using Overlay.Raft.Consensus;
using Overlay.Simulation.Linearizability;

namespace Overlay.Simulation.Raft;

/// <summary>
/// Clients that write, swap and read registers, one operation each at a time, at whichever node they believe in. They ask
/// again under the same number when no answer comes, and give up in the end. What they saw is kept for the checker.
/// </summary>
internal sealed class RaftClients
{
    private const int Attempts = 5;

    private readonly RaftWorld world;
    private readonly Prng prng;
    private readonly Client[] clients;
    private readonly List<Operation<RegisterInput, RegisterOutput>> history = [];
    private readonly Dictionary<ulong, ulong> acknowledged = [];
    private ulong requests;

    /// <summary>All that anybody was told is in the state with so much applied.</summary>
    private ulong floor;
    private bool stopping;

    public RaftClients(RaftWorld world, Prng prng)
    {
        this.world = world;
        this.prng = prng;
        clients = new Client[world.Swarm.Clients];
        for (int i = 0; i < clients.Length; i++)
        {
            clients[i] = new();
        }
    }

    public IReadOnlyList<Operation<RegisterInput, RegisterOutput>> History => history;

    public long Acknowledged { get; private set; }

    public bool AreIdle => stopping && Array.TrueForAll(clients, static c => c.Request == 0);

    public void Begin()
    {
        for (int i = 0; i < clients.Length; i++)
        {
            world.Later((long)(world.Swarm.Think * prng.NextDouble()), RaftEventKind.ClientThink, i);
        }
    }

    /// <summary>No new operations; those under way end.</summary>
    public void Stop() => stopping = true;

    public void Happen(in RaftEvent item)
    {
        Client client = clients[item.Node];
        if (item.Kind == RaftEventKind.ClientThink)
        {
            if (!stopping)
            {
                Call(item.Node, client);
            }
        }
        else if (client.Request == item.Argument >> 8 && (client.Attempt & 255) == (int)(item.Argument & 255))
        {
            TryAgain(item.Node, client);
        }
    }

    /// <summary>A request reaches a node.</summary>
    public void Arrive(RaftSimNode node, ulong argument)
    {
        int number = (int)(argument & 255);
        Client client = clients[number];
        if (!node.IsUp || client.Request != argument >> 8)
        {
            return;
        }

        if (client.Input.Verb == RegisterVerb.Read)
        {
            ulong context = ++requests;
            node.Asked[context] = (number, client.Request);
            world.Shell.Read(node, context);
            return;
        }

        Command command = new(
            client.Request, client.Key, client.Input.Verb == RegisterVerb.Swap, client.Input.Value, client.Input.Expected);
        world.Shell.Propose(node, command.ToBytes(client.Padding), outcome => Proposed(node, number, client, outcome));
    }

    private void Proposed(RaftSimNode node, int number, Client client, in ProposeOutcome outcome)
    {
        switch (outcome.Status)
        {
            case ProposeStatus.Accepted:
                client.WasProposed = true;
                node.Proposed[outcome.Index] = (outcome.Term, number, client.Request);
                break;
            case ProposeStatus.NotLeader:
                client.Target = outcome.Leader.IsNone ? client.Target : (int)((outcome.Leader.Value - 1) & 255);
                world.Counters.Add(RaftSometimes.ProposalRefused);
                world.Later(
                    (1 + (long)prng.Next(100)) * RaftSwarm.Millisecond, RaftEventKind.ClientTimeout, number, 0,
                    (client.Request << 8) | (byte)client.Attempt);
                break;
            case ProposeStatus.TooMuchUncommitted:
                world.Counters.Add(RaftSometimes.TooMuchUncommitted);
                break;
            case ProposeStatus.Transferring:
                world.Counters.Add(RaftSometimes.ProposalWhileTransferring);
                break;
            default:
                RaftWatch.Require(false, node, $"a proposal of data is answered by {outcome}");
                break;
        }
    }

    /// <summary>A node applied an entry: who proposed it there, in that term, has an answer.</summary>
    public void Applied(RaftSimNode node, in LogEntry entry)
    {
        if (!node.Proposed.Remove(entry.Index, out (ulong Term, int Client, ulong Request) proposed) || proposed.Term != entry.Term)
        {
            return;
        }

        Client client = clients[proposed.Client];
        if (client.Request != proposed.Request)
        {
            return;
        }

        RaftWatch.Require(
            world.Log.TryResult(client.Request, out (ulong Index, long Found) result) && result.Index <= entry.Index, node,
            $"request {client.Request} is acknowledged at {entry.Index} and was never applied");
        world.Counters.Add(RaftSometimes.WriteAcknowledged);
        if (result.Index < entry.Index)
        {
            world.Counters.Add(RaftSometimes.RequestRepeated);
        }

        Acknowledged++;
        floor = Math.Max(floor, entry.Index);
        acknowledged[client.Request] = result.Index;
        Answer(proposed.Client, client, new(0, client.Input.Verb != RegisterVerb.Swap || result.Found == client.Input.Expected));
    }

    public void ReadReady(RaftSimNode node, in ReadResult read)
    {
        RaftWatch.Require(node.Asked.Remove(read.Context, out (int Client, ulong Request) asked), node, $"an answer to a read nobody asked: {read}");
        if (read.Lost)
        {
            world.Counters.Add(RaftSometimes.ReadLost);
            return;
        }

        Client client = clients[asked.Client];
        if (client.Request == asked.Request)
        {
            RaftWatch.Require(
                read.Index >= client.Floor, node, $"stale read: told to wait for {read.Index}, acknowledged before the call was {client.Floor}");
            if (node.IsLeading)
            {
                world.Counters.Add(RaftSometimes.ReadByLeader);
            }
            else
            {
                world.Counters.Add(RaftSometimes.ReadByFollower);
            }

            node.Ripe.Add((read.Index, asked.Client, asked.Request));
            Ripen(node);
        }
    }

    /// <summary>Reads whose state is there.</summary>
    public void Ripen(RaftSimNode node)
    {
        for (int i = node.Ripe.Count - 1; i >= 0; i--)
        {
            (ulong index, int number, ulong request) = node.Ripe[i];
            if (index > node.Applied)
            {
                continue;
            }

            node.Ripe.RemoveAt(i);
            Client client = clients[number];
            if (client.Request == request)
            {
                floor = Math.Max(floor, node.Applied);
                Answer(number, client, new(world.Log.ValueAt(client.Key, node.Applied)));
            }
        }
    }

    /// <summary>At the end: what was acknowledged is in the log once, and what was seen could have happened in an order.</summary>
    public void Judge(bool everyOrder)
    {
        foreach ((ulong request, ulong index) in acknowledged)
        {
            if (!world.Log.TryResult(request, out (ulong Index, long Found) result) || result.Index != index)
            {
                throw new ViolationException($"the acknowledged request {request} was applied at {index}, and now at {result.Index}");
            }
        }

        if (!everyOrder)
        {
            return;
        }

        LinearizabilityVerdict verdict = LinearizabilityChecker.CheckRegisters(history);
        if (verdict.Result == LinearizabilityResult.Violated)
        {
            throw new ViolationException(verdict.ToString());
        }

        if (verdict.Result == LinearizabilityResult.Linearizable && history.Count > 20)
        {
            world.Counters.Add(RaftSometimes.HistoryChecked);
        }
    }

    private void Call(int number, Client client)
    {
        client.Request = ++requests;
        client.Attempt = 0;
        client.Key = prng.Next(world.Swarm.Keys);
        client.CallAt = world.Now;
        client.Floor = floor;
        client.WasProposed = false;
        client.Padding = world.Swarm.MaxPadding == 0 ? 0 : prng.Next(world.Swarm.MaxPadding);
        long value = (long)(client.Request & int.MaxValue);
        client.Input = prng.Next(world.Network.IsHealed ? 8 : 10) switch
        {
            < 3 => new(RegisterVerb.Read, 0),
            < 7 => new(RegisterVerb.Write, value),
            _ => new(RegisterVerb.Swap, value, world.Log.ValueAt(client.Key, world.Log.Last)),
        };
        Ask(number, client);
    }

    private void Ask(int number, Client client)
    {
        if (client.Input.Verb == RegisterVerb.Read ? prng.Chance(0.5) : client.Attempt > 0 && prng.Chance(0.5))
        {
            client.Target = Somebody();
        }

        world.Later(
            prng.Next(20) * RaftSwarm.Millisecond, RaftEventKind.Client, client.Target, 0, (client.Request << 8) | (uint)number);
        long patience = (300 + (long)prng.Next(1500)) * RaftSwarm.Millisecond;
        world.Later(patience, RaftEventKind.ClientTimeout, number, 0, (client.Request << 8) | (byte)client.Attempt);
    }

    /// <summary>Anybody; in calm one of the members.</summary>
    private int Somebody()
    {
        int slot = prng.Next(world.Nodes.Length);
        if (!world.Network.IsHealed)
        {
            return slot;
        }

        Configuration members = world.Log.ConfigurationAt(world.Log.Last);
        return (int)((members.Members[slot % members.Members.Length].Value - 1) & 255);
    }

    private void TryAgain(int number, Client client)
    {
        // A read that is asked again is another read: it began when the first did, which only asks for more.
        client.Attempt++;
        if (client.Attempt < Attempts)
        {
            Ask(number, client);
            return;
        }

        if (client.WasProposed)
        {
            world.Counters.Add(RaftSometimes.WriteAmbiguous);
            history.Add(new(number, client.Key, client.Input, default, client.CallAt, Operation<RegisterInput, RegisterOutput>.NoAnswer));
        }

        End(number, client);
    }

    private void Answer(int number, Client client, RegisterOutput output)
    {
        world.Mix((ulong)output.Value ^ client.Request);
        history.Add(new(number, client.Key, client.Input, output, client.CallAt, world.Now));
        End(number, client);
    }

    private void End(int number, Client client)
    {
        client.Request = 0;
        long think = world.Network.IsHealed ? Math.Min(world.Swarm.Think, 200 * RaftSwarm.Millisecond) : world.Swarm.Think;
        world.Later((long)(think * 2 * prng.NextDouble()), RaftEventKind.ClientThink, number);
    }

    private sealed class Client
    {
        /// <summary>0: nothing is under way.</summary>
        public ulong Request { get; set; }

        public int Attempt { get; set; }

        public int Target { get; set; }

        public int Key { get; set; }

        public int Padding { get; set; }

        public long CallAt { get; set; }

        public ulong Floor { get; set; }

        public bool WasProposed { get; set; }

        public RegisterInput Input { get; set; }
    }
}
