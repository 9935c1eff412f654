using Overlay.Dataplane;
using Overlay.Linux.Namespaces;
using Overlay.Linux.Native;
using Overlay.Linux.Netlink;

namespace Overlay.Linux.Execution;

/// <summary>
/// The namespaces that the kernel thread has open. Those of overlay networks and the host's stay open between
/// plans, as long as their name still means the same namespace; a sandbox's is closed after each plan, because our
/// hold on it would keep a dead container's namespace alive. Used by one thread, which moves between namespaces.
/// </summary>
internal sealed class NamespaceSessions(NamespaceDirectory directory) : IDisposable
{
    private readonly SortedDictionary<NamespaceName, NamespaceSession> open = [];
    private NamespaceIdentity? current;

    /// <summary>Must be called before a plan or an observation: names may have changed their meaning since.</summary>
    public void Refresh()
    {
        foreach ((NamespaceName name, NamespaceSession session) in open.ToArray())
        {
            session.Forget();
            if (!name.IsHost && !StillMeans(name, session))
            {
                if (name.IsOverlay)
                {
                    session.TryEmpty();
                }

                Close(name);
            }
        }
    }

    /// <exception cref="KernelException">It does not exist, is no network namespace, or cannot be entered.</exception>
    public NamespaceSession Open(NamespaceName name)
    {
        if (open.TryGetValue(name, out NamespaceSession? known))
        {
            return known;
        }

        NamespaceHandle handle = directory.Open(name);
        try
        {
            Enter(handle);
            return Add(name, handle);
        }
        catch (KernelException)
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>Null where the namespace does not exist.</summary>
    public NamespaceSession? TryOpen(NamespaceName name)
    {
        try
        {
            return Open(name);
        }
        catch (KernelException e) when (e.Errno is Errno.NoEntry or Errno.Invalid)
        {
            return null;
        }
    }

    /// <summary>Makes the named namespace, or opens the one that is there.</summary>
    public NamespaceSession Create(NamespaceName name)
    {
        if (TryOpen(name) is { } existing)
        {
            return existing;
        }

        directory.CreateHere(name);
        current = null;
        return Open(name);
    }

    /// <summary>Takes the name away.</summary>
    /// <returns>0 or an errno.</returns>
    public int Delete(NamespaceName name)
    {
        // Neither an open socket nor the thread itself may keep the namespace alive.
        Close(name);
        Enter(Open(NamespaceName.Host));
        return directory.Delete(name);
    }

    public void Close(NamespaceName name)
    {
        if (open.Remove(name, out NamespaceSession? session))
        {
            session.Dispose();
        }
    }

    /// <summary>Closes what is not to be held between plans.</summary>
    public void CloseForeign()
    {
        foreach (NamespaceName name in open.Keys.Where(name => !name.IsHost && !name.IsOverlay).ToArray())
        {
            Close(name);
        }
    }

    /// <summary>After an interface went: the other end of a pair went with it, wherever it was.</summary>
    public void ForgetLinks()
    {
        foreach (NamespaceSession session in open.Values)
        {
            session.Forget();
        }
    }

    /// <summary>Moves the calling thread into the namespace.</summary>
    public void Enter(NamespaceSession session) => Enter(session.Handle);

    public void Dispose()
    {
        foreach (NamespaceName name in open.Keys.ToArray())
        {
            Close(name);
        }
    }

    private NamespaceSession Add(NamespaceName name, NamespaceHandle handle)
    {
        NamespaceSession session = new(handle, NetlinkSocket.Open(NetlinkConstants.Route));
        open.Add(name, session);
        return session;
    }

    private bool StillMeans(NamespaceName name, NamespaceSession session)
    {
        using NamespaceHandle? now = directory.TryOpen(name);
        return now is not null && now.Identity == session.Handle.Identity;
    }

    private void Enter(NamespaceHandle handle)
    {
        if (current != handle.Identity)
        {
            InNamespace.Enter(handle);
            current = handle.Identity;
        }
    }
}
