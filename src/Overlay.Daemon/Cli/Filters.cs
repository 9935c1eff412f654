using Google.Protobuf;
using Overlay.Daemon.Configuration;
using Overlay.Daemon.Errors;

namespace Overlay.Daemon.Cli;

/// <summary>Applies --filter: values of one key are alternatives, different keys must all match.</summary>
internal static class Filters
{
    public static IReadOnlyList<T> Apply<T>(Listing<T> listing, IReadOnlyList<T> items, IReadOnlyList<string> filters)
        where T : IMessage
    {
        IEnumerable<T> left = items;
        foreach (IGrouping<string, string[]> key in filters
            .Select(static filter => filter.Split('=', 2)).GroupBy(static parts => parts[0]))
        {
            if (!listing.Filters.TryGetValue(key.Key, out Func<T, string, bool>? matches))
            {
                throw Unknown(listing, key.Key);
            }

            List<string> values = [.. key.Select(static f => f[1])];
            left = left.Where(item => values.Any(value => matches(item, value)));
        }

        return [.. left];
    }

    private static FailureException Unknown<T>(Listing<T> listing, string key)
        where T : IMessage
    {
        string? near = Spelling.Nearest(key, listing.Filters.Keys);
        return new(
            $"cannot filter {listing.Noun} by '{key}'",
            near is null ? "there is no such filter" : $"there is no such filter; did you mean {near}?",
            $"Use {string.Join(", ", listing.Filters.Keys)}",
            ExitCode.Usage);
    }
}
