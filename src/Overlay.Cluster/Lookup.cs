using Overlay.V1;

namespace Overlay.Cluster;

/// <summary>How an operator's word names an object: by id, by name, or by an unambiguous beginning of the id.</summary>
internal static class Lookup
{
    public static Outcome<NodeObject> Node(IReadOnlyDictionary<string, NodeObject> nodes, string text) =>
        Find(nodes, text, "node", node => node.Hostname);

    public static Outcome<NetworkObject> Network(IReadOnlyDictionary<string, NetworkObject> networks, string text) =>
        Find(networks, text, "network", network => network.Name);

    /// <param name="named">Finds the one of that name, so that many services need not be looked through.</param>
    public static Outcome<ServiceObject> Service(
        IReadOnlyDictionary<string, ServiceObject> services, Func<string, ServiceObject?> named, string text) =>
        !string.IsNullOrEmpty(text) && !services.ContainsKey(text) && named(text) is { } found
            ? found
            : Find(services, text, "service", service => service.Name);

    private static Outcome<T> Find<T>(
        IReadOnlyDictionary<string, T> objects, string? text, string noun, Func<T, string> nameOf)
        where T : class
    {
        if (string.IsNullOrEmpty(text))
        {
            return new Refusal(
                RefusalKind.Invalid, $"No {noun} was named.", "The name is empty.",
                $"Type `overlayd {noun} ls` to see the names.");
        }

        if (objects.TryGetValue(text, out T? exact))
        {
            return exact;
        }

        List<KeyValuePair<string, T>> found =
            [.. objects.Where(pair => string.Equals(nameOf(pair.Value), text, StringComparison.Ordinal))];
        if (found.Count == 0)
        {
            found = [.. objects.Where(pair => pair.Key.StartsWith(text, StringComparison.Ordinal))];
        }

        return found.Count switch
        {
            1 => found[0].Value,
            0 => new Refusal(
                RefusalKind.NotFound,
                $"There is no {noun} {Refusal.Quote(text)}.",
                $"No {noun} has that name, and no id begins with it.",
                $"Type `overlayd {noun} ls` to see the names."),
            _ => new Refusal(
                RefusalKind.Invalid,
                $"{Refusal.Quote(text)} names more than one {noun}.",
                $"It matches {Named(found, nameOf)}.",
                "Type the whole id."),
        };
    }

    private static string Named<T>(List<KeyValuePair<string, T>> found, Func<T, string> nameOf)
    {
        string shown = string.Join(
            ", ", found.Take(Limits.NamesInRefusal).Select(pair => $"{pair.Key} ({nameOf(pair.Value)})"));
        return found.Count <= Limits.NamesInRefusal
            ? shown
            : $"{shown} and {found.Count - Limits.NamesInRefusal} more";
    }
}
