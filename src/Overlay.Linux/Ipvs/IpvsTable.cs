using System.Collections.Immutable;
using System.Net;
using Overlay.Dataplane;
using Overlay.Linux.Native;
using Overlay.Linux.Netlink;

namespace Overlay.Linux.Ipvs;

/// <summary>The services of IPVS in a namespace, read and changed by a socket of that namespace. Those of others are never touched.</summary>
internal static class IpvsTable
{
    /// <exception cref="KernelException">It cannot be read.</exception>
    public static ImmutableSortedDictionary<uint, IpvsService> Read(NetlinkSocket generic, ushort family)
    {
        var found = ImmutableSortedDictionary.CreateBuilder<uint, IpvsService>();
        foreach (IpvsService service in generic.Dump<IpvsService>(
            "services of IPVS", batch => IpvsMessage.DumpServices(batch, family), IpvsMessage.TryParseService).Where(static s => IpvsServices.IsOurs(s.Mark)))
        {
            found[service.Mark] = service with
            {
                Destinations =
                [
                    .. generic.Dump<IpvsDestination>(
                        "destinations of IPVS", batch => IpvsMessage.DumpDestinations(batch, family, service), IpvsMessage.TryParseDestination),
                ],
            };
        }

        return found.ToImmutable();
    }

    /// <summary>Null: they cannot be read.</summary>
    public static IpvsTimeouts? ReadTimeouts(NetlinkSocket generic, ushort family)
    {
        MessageBuilder request = generic.NewBatch();
        IpvsMessage.AskTimeouts(request, family);
        return generic.Get<IpvsTimeouts>(request, IpvsMessage.TryParseTimeouts, out IpvsTimeouts? timeouts) == 0 ? timeouts : null;
    }

    public static NetlinkReply Set(NetlinkSocket generic, ushort family, Operation.SetIpvsService set)
    {
        NetlinkReply reply = MakeOrChange(generic, (batch, isNew) => IpvsMessage.Write(batch, family, set.Service, isNew));
        foreach (IpvsDestination destination in set.Service.Destinations)
        {
            reply = reply.Errno != 0
                ? reply : MakeOrChange(generic, (batch, isNew) => IpvsMessage.Write(batch, family, set.Service, destination, isNew));
        }

        foreach (IPAddress gone in set.Gone)
        {
            reply = reply.Errno != 0 ? reply : Delete(generic, batch => IpvsMessage.Delete(batch, family, set.Service, gone));
        }

        return reply;
    }

    public static NetlinkReply Delete(NetlinkSocket generic, ushort family, IpvsService service) =>
        Delete(generic, batch => IpvsMessage.Delete(batch, family, service));

    public static NetlinkReply Set(NetlinkSocket generic, ushort family, IpvsTimeouts timeouts) =>
        Execute(generic, batch => IpvsMessage.Write(batch, family, timeouts));

    private static NetlinkReply MakeOrChange(NetlinkSocket generic, Action<MessageBuilder, bool> write)
    {
        NetlinkReply reply = Execute(generic, batch => write(batch, true));
        return reply.Errno == Errno.Exists ? Execute(generic, batch => write(batch, false)) : reply;
    }

    /// <summary>What is gone already is deleted.</summary>
    private static NetlinkReply Delete(NetlinkSocket generic, Action<MessageBuilder> write)
    {
        NetlinkReply reply = Execute(generic, write);
        return reply.Errno is Errno.NoEntry or Errno.NoProcess ? default : reply;
    }

    private static NetlinkReply Execute(NetlinkSocket generic, Action<MessageBuilder> write)
    {
        MessageBuilder request = generic.NewBatch();
        write(request);
        return generic.Execute(request)[0];
    }
}
