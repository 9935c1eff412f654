using Overlay.Dataplane;
using Overlay.Linux.Namespaces;
using Overlay.Linux.Netlink;
using Overlay.Linux.Nftables;
using Overlay.Linux.Rtnetlink;

namespace Overlay.Linux.Execution;

/// <summary>What the kernel thread keeps open of one namespace: its handle, netlink sockets, an nft context.</summary>
/// <param name="handle">The namespace.</param>
/// <param name="netlink">Opened by a thread that was inside the namespace.</param>
internal sealed class NamespaceSession(NamespaceHandle handle, NetlinkSocket netlink) : IDisposable
{
    private readonly SortedDictionary<string, LinkRecord> linksByName = new(StringComparer.Ordinal);
    private NftContext? nft;
    private NetlinkSocket? netfilter;
    private NetlinkSocket? generic;

    public NamespaceHandle Handle { get; } = handle;

    public NetlinkSocket Netlink { get; } = netlink;

    /// <summary>Made on first use; the calling thread must be inside the namespace.</summary>
    public NftContext NftHere() => nft ??= NftContext.OpenHere();

    /// <summary>Made on first use; the calling thread must be inside the namespace.</summary>
    public NetlinkSocket NetfilterHere() => netfilter ??= NetlinkSocket.Open(NetlinkConstants.Netfilter);

    /// <summary>Made on first use; the calling thread must be inside the namespace.</summary>
    public NetlinkSocket GenericHere() => generic ??= NetlinkSocket.Open(NetlinkConstants.Generic);

    /// <summary>What <see cref="Find"/> has already learnt.</summary>
    public LinkRecord? Known(string name) => linksByName.GetValueOrDefault(name);

    /// <summary>Asks the kernel by name, once until <see cref="Forget()"/>.</summary>
    /// <returns>Null where there is no such interface.</returns>
    public LinkRecord? Find(string name)
    {
        if (linksByName.TryGetValue(name, out LinkRecord? known))
        {
            return known;
        }

        if (name.Length == 0)
        {
            return null;
        }

        MessageBuilder request = Netlink.NewBatch();
        LinkMessage.GetByName(request, name);
        if (Netlink.Get<LinkRecord>(request, LinkRecord.TryParse, out LinkRecord? found) != 0 || found is null)
        {
            return null;
        }

        linksByName[name] = found;
        return found;
    }

    /// <summary>
    /// Takes away the devices that tie this namespace to others, because the kernel cleans a nameless namespace up
    /// later, and meanwhile its VNIs would be taken and its veth ends still be there. What fails is left to the kernel.
    /// </summary>
    public void TryEmpty()
    {
        try
        {
            List<LinkRecord> links = Netlink.Dump<LinkRecord>("interfaces", LinkMessage.Dump, LinkRecord.TryParse);
            MessageBuilder batch = Netlink.NewBatch();
            foreach (LinkRecord link in links.Where(link => link.Kind is LinkKind.Vxlan or LinkKind.Veth))
            {
                LinkMessage.Delete(batch, link.Index);
            }

            Netlink.Execute(batch);
        }
        catch (KernelException)
        {
            // The namespace is about to be closed; its end takes the devices too, only later.
        }
    }

    public void Forget(string name) => linksByName.Remove(name);

    /// <summary>What was learnt about interfaces is valid for one plan or observation only.</summary>
    public void Forget() => linksByName.Clear();

    public void Dispose()
    {
        nft?.Dispose();
        netfilter?.Dispose();
        generic?.Dispose();
        Netlink.Dispose();
        Handle.Dispose();
    }
}
