using System.Net.Sockets;
using Overlay.Linux.Namespaces;
using Overlay.Linux.Native;
using Overlay.Linux.Netlink;

namespace Overlay.Linux.Events;

/// <summary>Listens to one namespace, by a socket for rtnetlink and one for nftables.</summary>
internal sealed class NamespaceWatch : IAsyncDisposable
{
    private const int NftablesGroup = 7;

    /// <summary>Notifications are shorter; a longer one is cut, and then counts as a change.</summary>
    private const int BufferBytes = 8192;

    /// <summary>RTNLGRP_LINK, NEIGH, IPV4_IFADDR, IPV4_ROUTE, IPV4_RULE, IPV6_IFADDR, IPV6_ROUTE, IPV6_RULE.</summary>
    private static readonly int[] OwnGroups = [1, 3, 5, 7, 8, 9, 11, 19];

    /// <summary>
    /// RTNLGRP_IPV4_IFADDR, IPV4_RULE, IPV6_IFADDR, IPV6_RULE: of a namespace that is somebody else's, where routes may come and go by
    /// the thousand.
    /// </summary>
    private static readonly int[] SandboxGroups = [5, 8, 9, 19];

    private readonly Socket route;
    private readonly Socket netfilter;
    private readonly CancellationTokenSource stop = new();
    private readonly Task listening;

    private NamespaceWatch(
        NamespaceIdentity identity, Socket route, Socket netfilter, Action changed, Action<Exception> failed)
    {
        Identity = identity;
        this.route = route;
        this.netfilter = netfilter;
        listening = Task.WhenAll(
            ListenAsync(route, changed, failed, stop.Token), ListenAsync(netfilter, changed, failed, stop.Token));
    }

    public NamespaceIdentity Identity { get; }

    /// <param name="isSandbox">It is somebody else's: only what we have there is listened for.</param>
    /// <param name="handle">The namespace; need not stay open: the sockets hold it.</param>
    /// <param name="changed">Called from any thread, at once and without waiting.</param>
    /// <param name="failed">Called where the socket fails, which ends the listening.</param>
    /// <param name="receiveBytes">How much may wait unread before the kernel drops notifications and says so.</param>
    /// <exception cref="KernelException">The namespace cannot be entered or listened to.</exception>
    public static NamespaceWatch Start(
        NamespaceHandle handle, bool isSandbox, Action changed, Action<Exception> failed,
        int receiveBytes = NetlinkSocket.ReceiveBufferBytes)
    {
        (Socket route, Socket netfilter) = InNamespace.Run(handle, () =>
        {
            Socket first = Open(NetlinkConstants.Route, isSandbox ? SandboxGroups : OwnGroups, receiveBytes);
            try
            {
                return (first, Open(NetlinkConstants.Netfilter, [NftablesGroup], receiveBytes));
            }
            catch (KernelException)
            {
                first.Dispose();
                throw;
            }
        });
        return new(handle.Identity, route, netfilter, changed, failed);
    }

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await listening;
        route.Dispose();
        netfilter.Dispose();
        stop.Dispose();
    }

    private static Socket Open(int protocol, int[] groups, int receiveBytes)
    {
        SafeFd descriptor = NetlinkSocket.OpenDescriptor(protocol, groups, useOwnPort: false, receiveBytes);
        return new(new SafeSocketHandle(descriptor.Release(), ownsHandle: true));
    }

    private static async Task ListenAsync(
        Socket socket, Action changed, Action<Exception> failed, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[BufferBytes];
        while (true)
        {
            try
            {
                int length = await socket.ReceiveAsync(buffer, SocketFlags.None, cancellationToken);
                if (length == buffer.Length || ChangeFilter.IsForeignChange(buffer.AsSpan(0, length)))
                {
                    changed();
                }
            }
            catch (OperationCanceledException)
            {
                // The end of the watch.
                return;
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.NoBufferSpaceAvailable)
            {
                // ENOBUFS: the kernel had more to say than fits. Anything may have changed.
                changed();
            }
            catch (SocketException e)
            {
                // No other error is known of such a socket: whoever waits for changes must hear of it.
                failed(e);
                return;
            }
        }
    }
}
