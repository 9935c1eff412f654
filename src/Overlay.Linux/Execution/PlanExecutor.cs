using System.Diagnostics;
using Overlay.Dataplane;
using Overlay.Linux.Conntrack;
using Overlay.Linux.Ipvs;
using Overlay.Linux.Native;
using Overlay.Linux.Netlink;
using Overlay.Linux.Rtnetlink;

namespace Overlay.Linux.Execution;

/// <summary>
/// Executes a plan in order. Consecutive operations on entries of one namespace go to the kernel in one system call;
/// what makes or removes namespaces, links and tables goes alone. A failure never stops the rest.
/// </summary>
internal sealed class PlanExecutor(NamespaceSessions sessions, LinkMaker links, IpvsFamily ipvs)
{
    /// <summary>Failures are answered one by one: this many fit the socket's buffer with ease.</summary>
    private const int MaxBatch = 1000;

    private readonly List<int> pending = [];
    private NamespaceSession? pendingIn;
    private MessageBuilder? batch;
    private IReadOnlyList<Operation> plan = [];
    private OperationResult[] results = [];

    public IReadOnlyList<OperationResult> Execute(IReadOnlyList<Operation> operations)
    {
        plan = operations;
        results = new OperationResult[operations.Count];
        for (int i = 0; i < operations.Count; i++)
        {
            try
            {
                Start(i);
            }
            catch (KernelException e)
            {
                results[i] = new(operations[i], e.Errno, e.Message);
            }
        }

        Flush();
        return results;
    }

    private void Start(int index)
    {
        Operation operation = plan[index];
        switch (operation)
        {
            case Operation.ReplaceAddress or Operation.DeleteAddress or Operation.ReplaceRoute or Operation.DeleteRoute
                or Operation.ReplaceNeighbour or Operation.DeleteNeighbour or Operation.ReplaceFdb
                or Operation.DeleteFdb or Operation.ChangeLink:
                Enqueue(index, operation);
                break;
            default:
                Flush();
                Record(index, ExecuteAlone(operation));
                break;
        }
    }

    private NetlinkReply ExecuteAlone(Operation operation)
    {
        switch (operation)
        {
            case Operation.CreateNamespace create:
                return CreateNamespace(create.Name);
            case Operation.DeleteNamespace delete:
                return DeleteNamespace(delete.Name);
            case Operation.CreateLink create:
                return links.Create(create);
            case Operation.DeleteLink delete:
                return links.Delete(delete);
            case Operation.SetSysctl set:
                sessions.Enter(sessions.Open(set.In));
                return SysctlFile.IsValidPath(set.Path)
                    ? new(SysctlFile.Write(set.Path, set.Value), null)
                    : new(Errno.Invalid, $"'{set.Path}' is not a path below /proc/sys");
            case Operation.ReplaceNftTable replace:
                NamespaceSession target = sessions.Open(replace.In);
                sessions.Enter(target);
                return FromNft(target.NftHere().Replace(replace.Table, replace.Before));
            case Operation.DeleteNftTable delete when sessions.TryOpen(delete.In) is { } session:
                sessions.Enter(session);
                return FromNft(session.NftHere().Delete());
            case Operation.AddRule add:
                return ExecuteRule(sessions.Open(add.In).Netlink, batch => RuleMessage.Add(batch, add.Entry));
            case Operation.DeleteRule delete when sessions.TryOpen(delete.In) is { } session:
                return ExecuteRule(session.Netlink, batch => RuleMessage.Delete(batch, delete.Entry));
            case Operation.ForgetFlows forget when sessions.TryOpen(forget.In) is { } session:
                sessions.Enter(session);
                return ForgetFlows(session.NetfilterHere(), flow => flow.IsStale(forget.Backends));
            case Operation.ForgetPortFlows forget when sessions.TryOpen(forget.In) is { } session:
                sessions.Enter(session);
                return ForgetFlows(session.NetfilterHere(), flow => flow.IsStale(forget.Targets, forget.Local));
            case Operation.SetIpvsService set:
                return IpvsTable.Set(GenericIn(sessions.Open(set.In)), ipvs.Number, set);
            case Operation.SetIpvsTimeouts set:
                return IpvsTable.Set(GenericIn(sessions.Open(set.In)), ipvs.Number, set.Timeouts);
            case Operation.DeleteIpvsService delete when sessions.TryOpen(delete.In) is { } session:
                return IpvsTable.Delete(GenericIn(session), ipvs.Number, delete.Service);
            case Operation.DeleteRule or Operation.DeleteNftTable or Operation.ForgetFlows or Operation.ForgetPortFlows
                or Operation.DeleteIpvsService:
                return default;
            default:
                throw new UnreachableException($"an operation without execution: {operation}");
        }
    }

    private NetlinkSocket GenericIn(NamespaceSession session)
    {
        sessions.Enter(session);
        return session.GenericHere();
    }

    private static NetlinkReply ExecuteRule(NetlinkSocket netlink, Action<MessageBuilder> write)
    {
        MessageBuilder request = netlink.NewBatch();
        write(request);
        return netlink.Execute(request)[0];
    }

    private static NetlinkReply ForgetFlows(NetlinkSocket netfilter, Func<FlowRecord, bool> isStale)
    {
        FlowRecord[] stale =
        [
            .. netfilter.Dump<FlowRecord>("flows", FlowMessage.Dump, FlowMessage.TryParse).Where(isStale),
        ];
        foreach (FlowRecord[] some in stale.Chunk(MaxBatch))
        {
            MessageBuilder request = netfilter.NewBatch();
            foreach (FlowRecord flow in some)
            {
                FlowMessage.Remove(request, flow);
            }

            // One that ended meanwhile is gone.
            NetlinkReply failure = netfilter.Execute(request).FirstOrDefault(static r => r.Errno is not (0 or Errno.NoEntry));
            if (failure.Errno != 0)
            {
                return failure;
            }
        }

        return default;
    }

    private static NetlinkReply FromNft(string? error) => error is null ? default : new(Errno.Invalid, error);

    private NetlinkReply CreateNamespace(NamespaceName name)
    {
        if (name.IsHost || name.Value.StartsWith('/'))
        {
            return new(Errno.Invalid, $"a new namespace needs a name, not {name}");
        }

        NamespaceSession session = sessions.Create(name);
        MessageBuilder request = session.Netlink.NewBatch();
        const int Loopback = 1;
        LinkMessage.Change(request, Loopback, new LinkChange { Up = true });
        return session.Netlink.Execute(request)[0];
    }

    private NetlinkReply DeleteNamespace(NamespaceName name)
    {
        if (name.IsHost || name.Value.StartsWith('/'))
        {
            return new(Errno.Invalid, $"{name} is not a namespace that overlayd made");
        }

        if (sessions.TryOpen(name) is { } session)
        {
            session.TryEmpty();
            sessions.ForgetLinks();
        }

        return new(sessions.Delete(name), null);
    }

    private void Enqueue(int index, Operation operation)
    {
        bool deletes = operation is Operation.DeleteAddress or Operation.DeleteRoute or Operation.DeleteNeighbour
            or Operation.DeleteFdb;
        NamespaceSession? session = deletes
            ? sessions.TryOpen(operation.Namespace)
            : sessions.Open(operation.Namespace);
        if (session is null)
        {
            results[index] = new(operation, 0, null);
            return;
        }

        if (pendingIn != session || pending.Count == MaxBatch)
        {
            Flush();
        }

        // Asking for an index uses the socket, which has one batch under construction: so ask first.
        string device = DeviceOf(operation);
        if (session.Known(device) is null)
        {
            Flush();
        }

        if (session.Find(device) is not { } link)
        {
            results[index] = deletes
                ? new(operation, 0, null)
                : Result(operation, new(Errno.NoDevice, $"there is no interface {device} in {operation.Namespace}"));
            return;
        }

        string bridge = (operation as Operation.ChangeLink)?.Master ?? "";
        if (bridge.Length > 0 && session.Known(bridge) is null)
        {
            Flush();
        }

        int master = bridge.Length > 0 ? session.Find(bridge)?.Index ?? -1 : 0;
        if (master < 0)
        {
            string text = $"there is no bridge {bridge} in {operation.Namespace}";
            results[index] = Result(operation, new(Errno.NoDevice, text));
            return;
        }

        pendingIn = session;
        batch ??= session.Netlink.NewBatch();
        pending.Add(index);
        Write(batch, operation, link.Index, master);
    }

    private static string DeviceOf(Operation operation) => operation switch
    {
        Operation.ReplaceAddress o => o.Entry.Device,
        Operation.DeleteAddress o => o.Entry.Device,
        Operation.ReplaceRoute o => o.Entry.Device,
        Operation.DeleteRoute o => o.Entry.Device,
        Operation.ReplaceNeighbour o => o.Entry.Device,
        Operation.DeleteNeighbour o => o.Entry.Device,
        Operation.ReplaceFdb o => o.Entry.Device,
        Operation.DeleteFdb o => o.Entry.Device,
        Operation.ChangeLink o => o.Name,
        _ => throw new UnreachableException($"an operation without a device: {operation}"),
    };

    private static void Write(MessageBuilder batch, Operation operation, int link, int master)
    {
        switch (operation)
        {
            case Operation.ReplaceAddress o:
                AddressMessage.Replace(batch, link, o.Entry);
                break;
            case Operation.DeleteAddress o:
                AddressMessage.Delete(batch, link, o.Entry);
                break;
            case Operation.ReplaceRoute o:
                RouteMessage.Replace(batch, link, o.Entry);
                break;
            case Operation.DeleteRoute o:
                RouteMessage.Delete(batch, link, o.Entry);
                break;
            case Operation.ReplaceNeighbour o:
                NeighbourMessage.Replace(batch, link, o.Entry);
                break;
            case Operation.DeleteNeighbour o:
                NeighbourMessage.Delete(batch, link, o.Entry);
                break;
            case Operation.ReplaceFdb o:
                NeighbourMessage.ReplaceFdb(batch, link, o.Entry);
                break;
            case Operation.DeleteFdb o:
                NeighbourMessage.DeleteFdb(batch, link, o.Entry);
                break;
            case Operation.ChangeLink o:
                int? port = o.Master is null ? null : master;
                LinkMessage.Change(batch, link, new(o.Mtu, o.Mac, port, o.Up, o.Alias, o.Isolated));
                break;
            default:
                throw new UnreachableException($"an operation without a message: {operation}");
        }
    }

    private void Flush()
    {
        if (batch is not null && pendingIn is not null)
        {
            try
            {
                NetlinkReply[] replies = pendingIn.Netlink.Execute(batch);
                for (int i = 0; i < replies.Length; i++)
                {
                    Record(pending[i], replies[i]);
                }
            }
            catch (KernelException e)
            {
                foreach (int index in pending)
                {
                    results[index] = new(plan[index], e.Errno, e.Message);
                }
            }
        }

        pending.Clear();
        batch = null;
        pendingIn = null;
    }

    private void Record(int index, NetlinkReply reply)
    {
        Operation operation = plan[index];
        results[index] = IsDone(operation, reply.Errno) ? new(operation, 0, null) : Result(operation, reply);
    }

    private static OperationResult Result(Operation operation, NetlinkReply reply) => reply.Errno == 0
        ? new(operation, 0, null)
        : new(operation, reply.Errno, new KernelException(operation.ToString(), reply.Errno, reply.Text).Message);

    /// <summary>Deleting what is gone is success, and so is adding exactly what is there.</summary>
    private static bool IsDone(Operation operation, int errno) => operation switch
    {
        Operation.AddRule => errno is Errno.Exists,
        Operation.DeleteRule => errno is Errno.NoEntry,
        Operation.DeleteAddress => errno is Errno.AddressNotAvailable or Errno.NoDevice,
        Operation.DeleteRoute => errno is Errno.NoProcess or Errno.NoDevice or Errno.NoEntry,
        Operation.DeleteNeighbour or Operation.DeleteFdb => errno is Errno.NoEntry or Errno.NoDevice,
        _ => false,
    };
}
