using System.Collections.Immutable;

namespace Overlay.Dataplane;

internal enum PairState
{
    /// <summary>Both ends are where they belong.</summary>
    Present,

    /// <summary>To be made, both ends at once.</summary>
    Missing,

    /// <summary>The place of the other end is taken by a link that is not ours.</summary>
    Blocked,

    /// <summary>The namespace of the other end does not exist.</summary>
    Unreachable,
}

/// <summary>
/// The wanted veth pairs and what was found of them, by either end. An observation does not say which links are a
/// pair; one end never lives without the other, and the sandbox's end is known by its alias.
/// </summary>
internal sealed class VethPairs
{
    public const string AliasPrefix = "overlayd ";

    private readonly SortedDictionary<NamespaceName, SortedDictionary<string, PairState>> byEnd = [];

    public VethPairs(HostState desired, HostState observed, ImmutableSortedSet<NamespaceName> unreachable)
    {
        foreach ((NamespaceName name, NamespaceState wish) in desired.Namespaces)
        {
            foreach (LinkState link in wish.Links.Values)
            {
                if (link.Peer is { } peer)
                {
                    PairState state = unreachable.Contains(peer.Namespace)
                        ? PairState.Unreachable
                        : Find(
                            observed.FindLink(name, link.Name), observed.FindLink(peer.Namespace, peer.Name),
                            desired.FindLink(peer.Namespace, peer.Name));
                    Put(name, link.Name, state);
                    Put(peer.Namespace, peer.Name, state);
                }
            }
        }
    }

    /// <summary>An end without a wanted pair can only be somebody else's.</summary>
    public PairState Of(NamespaceName name, string link) =>
        byEnd.TryGetValue(name, out SortedDictionary<string, PairState>? links) && links.TryGetValue(link, out PairState state)
            ? state
            : PairState.Blocked;

    public static bool IsOurs(LinkState link) => link.Alias.StartsWith(AliasPrefix, StringComparison.Ordinal);

    private static PairState Find(LinkState? port, LinkState? end, LinkState? wish)
    {
        if (end is null)
        {
            return PairState.Missing;
        }

        bool paired = port is { Kind: LinkKind.Veth } && end.Kind == LinkKind.Veth;
        if (paired && end.Alias == wish?.Alias)
        {
            return PairState.Present;
        }

        if (IsOurs(end))
        {
            return PairState.Missing;
        }

        // Our port lives, and at its other end's place is a link with the address we gave it: only the alias was lost.
        return paired && wish?.Mac is { } mac && end.Mac == mac ? PairState.Present : PairState.Blocked;
    }

    private void Put(NamespaceName name, string link, PairState state)
    {
        if (!byEnd.TryGetValue(name, out SortedDictionary<string, PairState>? links))
        {
            byEnd[name] = links = new(StringComparer.Ordinal);
        }

        links[link] = state;
    }
}
