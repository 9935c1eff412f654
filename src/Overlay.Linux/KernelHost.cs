using System.Collections.Immutable;
using Overlay.Dataplane;
using Overlay.Linux.Execution;
using Overlay.Linux.Ipvs;
using Overlay.Linux.Namespaces;
using Overlay.Linux.Observation;
using Overlay.Linux.Sockets;

namespace Overlay.Linux;

/// <summary>
/// This machine's kernel: observes it as a value and executes plans. It decides nothing; what is wanted comes from
/// <c>Overlay.Dataplane</c>. All work is done by one thread of its own, which moves between network namespaces;
/// calls wait for it and are served one at a time.
/// </summary>
public sealed class KernelHost : IDisposable
{
    private readonly NamespaceSessions sessions;
    private readonly IpvsFamily ipvs = new();
    private readonly Observer observer;
    private readonly PlanExecutor executor;
    private readonly PortClaims claims;
    private readonly KernelThread thread = new();

    public KernelHost()
        : this(new NamespaceDirectory())
    {
    }

    public KernelHost(NamespaceDirectory directory)
    {
        Namespaces = directory;
        sessions = new(directory);
        observer = new(sessions, ipvs);
        executor = new(sessions, new(sessions), ipvs);
        claims = new(sessions);
    }

    public NamespaceDirectory Namespaces { get; }

    /// <summary>
    /// Reads the given namespaces; one that does not exist, and a sandbox that cannot be read, is absent from the
    /// result.
    /// </summary>
    /// <param name="namespaces">What to read.</param>
    /// <param name="sysctls">Paths below /proc/sys to read in each of them.</param>
    /// <exception cref="KernelException">The host or a network of ours cannot be read.</exception>
    public HostState Observe(IReadOnlyCollection<NamespaceName> namespaces, IReadOnlyCollection<string> sysctls) =>
        thread.Run(() =>
        {
            sessions.Refresh();
            var builder = ImmutableSortedDictionary.CreateBuilder<NamespaceName, NamespaceState>();
            foreach (NamespaceName name in namespaces)
            {
                if (TryObserve(name, sysctls) is { } state)
                {
                    builder[name] = state;
                }
            }

            sessions.CloseForeign();
            return new HostState { Namespaces = builder.ToImmutable() };
        });

    /// <summary>
    /// Executes a plan in order and tells of each operation what became of it; a failure does not stop the others.
    /// </summary>
    public IReadOnlyList<OperationResult> Execute(IReadOnlyList<Operation> plan) =>
        thread.Run(() =>
        {
            sessions.Refresh();
            IReadOnlyList<OperationResult> results = executor.Execute(plan);
            sessions.CloseForeign();
            return results;
        });

    /// <summary>
    /// Holds these ports of the host, and no others, so that no other program takes them; until this object is disposed.
    /// </summary>
    /// <returns>Those that another program has, with the errno.</returns>
    public IReadOnlyList<(PortClaim Claim, int Errno)> Claim(IReadOnlyCollection<PortClaim> ports) =>
        thread.Run(() =>
        {
            sessions.Refresh();
            return claims.Set(ports);
        });

    /// <summary>
    /// Looks for IPVS, whose services are a part of what is observed from then on.
    /// </summary>
    /// <param name="load">The kernel may load its module; else IPVS counts as there only where it is loaded already.</param>
    /// <returns>Null, or why there is none.</returns>
    public string? FindIpvs(bool load) =>
        load || Directory.Exists("/sys/module/ip_vs")
            ? thread.Run(() =>
            {
                NamespaceSession host = sessions.Open(NamespaceName.Host);
                sessions.Enter(host);
                return ipvs.Find(host.GenericHere());
            })
            : "IPVS is not loaded";

    /// <exception cref="KernelException">It cannot be read.</exception>
    public HostIpv6 ReadIpv6() =>
        thread.Run(() =>
        {
            sessions.Refresh();
            NamespaceSession host = sessions.Open(NamespaceName.Host);
            sessions.Enter(host);
            return HostIpv6.Read(host);
        });

    /// <summary>Leaves everything in the kernel as it is.</summary>
    public void Dispose()
    {
        thread.Dispose();
        claims.Dispose();
        sessions.Dispose();
    }

    /// <summary>One sandbox that cannot be read must not keep the others from being looked after.</summary>
    private NamespaceState? TryObserve(NamespaceName name, IReadOnlyCollection<string> sysctls)
    {
        try
        {
            return sessions.TryOpen(name) is { } session ? observer.Observe(session, sysctls) : null;
        }
        catch (KernelException) when (!name.IsHost && !name.IsOverlay)
        {
            return null;
        }
    }
}
