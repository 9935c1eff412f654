using System.Globalization;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Node;

/// <summary>What backends weigh: what they were attached with; else what their service reads from a label of their node.</summary>
public sealed partial class Node
{
    /// <summary>By service, what the label of this node said when the endpoints here were last announced; nothing: no number.</summary>
    private SortedDictionary<ServiceId, int> labelWeights = [];

    /// <summary>Among its service's backends; 0: none was given, which is 1.</summary>
    public int WeightOf(EndpointState endpoint) =>
        endpoint.Weight == 0 && ServiceOf(endpoint.Network, endpoint.Service) is { WeightBy: { Length: > 0 } label } ? LabelWeight(label) : endpoint.Weight;

    /// <summary>Of this node; 0: it has no such label, or that is no weight.</summary>
    private int LabelWeight(string label) =>
        intent.Node(Id.ToString()) is { } self && self.Labels.TryGetValue(label, out string? text)
        && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int weight) && weight is > 0 and <= EndpointState.MaxWeight
            ? weight : 0;

    /// <summary>Announces backends whose weight another label, or another word of their service, has changed.</summary>
    private void TendWeights(Instant now, NodeEffects effects)
    {
        SortedDictionary<ServiceId, int> weights = [];
        foreach (ServiceObject service in intent.Services.Where(static s => s.WeightBy.Length > 0))
        {
            weights[ServiceId.Parse(service.Id)] = LabelWeight(service.WeightBy);
        }

        SortedSet<ServiceId> changed =
            [.. weights.Keys.Concat(labelWeights.Keys).Where(s => weights.GetValueOrDefault(s) != labelWeights.GetValueOrDefault(s))];
        labelWeights = weights;
        foreach (EndpointState backend in endpoints.Values.Where(
            e => e.Service is { } service && changed.Contains(service) && e.Weight == 0 && e.LostSince is null))
        {
            Announce(backend, now, effects);
            ingressStale = true;
            effects.ZonesChanged = true;
            DataplaneChanges(effects);
        }
    }
}
