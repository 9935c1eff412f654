using System.Net;
using System.Net.Sockets;
using Overlay.V1;

namespace Overlay.Dataplane;

/// <summary>
/// Which of a service's backends a flow gets, as an expression of nftables. Equal backends take turns. Weighted ones are drawn:
/// turns of many connections each would be no balance for clients with few. By hash a client's address decides.
/// Who has the fewest connections is known to IPVS alone: such services are balanced as those of turns, or of weights.
/// </summary>
/// <param name="Backends">At least one, in order, all of one family.</param>
/// <param name="Turn">Where turns begin follows from it.</param>
/// <param name="Seed">Of the hash: who chooses again among those that were chosen by one hash needs another.</param>
internal readonly record struct BackendChoice(Scheduler Scheduler, (IPAddress Address, long Weight)[] Backends, string Turn, int Seed = 1)
{
    public bool IsIpv6 => Backends[0].Address.AddressFamily == AddressFamily.InterNetworkV6;

    /// <summary>An expression that is an address.</summary>
    public string Address() => Backends.Length == 1 ? InetText.Of(Backends[0].Address) : Map("map", InetText.Of);

    /// <summary>A statement that ends with a jump to a backend's chain.</summary>
    public string Verdict(Func<IPAddress, string> chain) =>
        Backends.Length == 1 ? $"goto {chain(Backends[0].Address)}" : Map("vmap", address => $"goto {chain(address)}");

    private string Map(string kind, Func<IPAddress, string> value)
    {
        long divisor = Scheduler is Scheduler.Rr or Scheduler.Lc ? 0 : Backends.Aggregate(0L, static (d, b) => Divisor(d, b.Weight));
        long[] weights = [.. Backends.Select(b => divisor == 0 ? 1 : b.Weight / divisor)];
        long total = weights.Sum();
        bool equal = total == Backends.Length;
        (string number, long start) = Scheduler is Scheduler.Sh or Scheduler.Mh
            ? ($"jhash {(IsIpv6 ? "ip6" : "ip")} saddr mod {total} seed 0x{Seed:x}", 0)
            : equal
                ? ($"numgen inc mod {total}", (long)(StableHash.Of(Turn) % (ulong)total))
                : ($"numgen random mod {total}", 0L);
        List<(long First, long Last, IPAddress Address)> ranges = [];
        long next = start;
        for (int i = 0; i < Backends.Length; i++)
        {
            ranges.Add((next % total, (next % total) + weights[i] - 1, Backends[i].Address));
            next += weights[i];
        }

        IEnumerable<string> elements = ranges.OrderBy(static r => r.First)
            .Select(r => $"{(r.First == r.Last ? $"{r.First}" : $"{r.First}-{r.Last}")} : {value(r.Address)}");
        return $"{number} {kind} {{ {string.Join(", ", elements)} }}";
    }

    private static long Divisor(long left, long right)
    {
        while (right != 0)
        {
            (left, right) = (right, left % right);
        }

        return left;
    }
}
