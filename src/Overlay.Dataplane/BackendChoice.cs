using System.Net;
using System.Net.Sockets;
using Overlay.V1;

namespace Overlay.Dataplane;

/// <summary>Which of a service's backends a flow gets, as an expression of nftables that is an address.</summary>
internal static class BackendChoice
{
    /// <summary>
    /// Equal backends take turns. Weighted ones are drawn: turns of many connections each would be no balance for clients
    /// with few. By hash a client's address decides.
    /// </summary>
    /// <param name="backends">At least one, in order, all of one family.</param>
    /// <param name="turn">Where turns begin follows from it.</param>
    /// <param name="seed">Of the hash: who chooses again among those that were chosen by one hash needs another.</param>
    public static string Of(Scheduler scheduler, (IPAddress Address, long Weight)[] backends, string turn, int seed = 1)
    {
        if (backends.Length == 1)
        {
            return InetText.Of(backends[0].Address);
        }

        string family = backends[0].Address.AddressFamily == AddressFamily.InterNetworkV6 ? "ip6" : "ip";
        long divisor = scheduler == Scheduler.Rr ? 0 : backends.Aggregate(0L, static (d, b) => Divisor(d, b.Weight));
        long[] weights = [.. backends.Select(b => divisor == 0 ? 1 : b.Weight / divisor)];
        long total = weights.Sum();
        bool equal = total == backends.Length;
        (string number, long start) = scheduler == Scheduler.Sh
            ? ($"jhash {family} saddr mod {total} seed 0x{seed:x}", 0)
            : equal
                ? ($"numgen inc mod {total}", (long)(StableHash.Of(turn) % (ulong)total))
                : ($"numgen random mod {total}", 0L);
        List<(long First, long Last, IPAddress Address)> ranges = [];
        long next = start;
        for (int i = 0; i < backends.Length; i++)
        {
            ranges.Add((next % total, (next % total) + weights[i] - 1, backends[i].Address));
            next += weights[i];
        }

        IEnumerable<string> elements = ranges.OrderBy(static r => r.First)
            .Select(static r => $"{(r.First == r.Last ? $"{r.First}" : $"{r.First}-{r.Last}")} : {InetText.Of(r.Address)}");
        return $"{number} map {{ {string.Join(", ", elements)} }}";
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
