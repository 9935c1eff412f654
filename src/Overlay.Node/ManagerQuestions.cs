namespace Overlay.Node;

/// <summary>
/// What was asked of a manager and not answered yet. Nothing is asked twice at a time: who wants the same waits for
/// the same answer.
/// </summary>
internal sealed class ManagerQuestions
{
    private readonly SortedDictionary<long, ManagerRequest> open = [];
    private long last;

    public bool IsOpen(long id) => open.ContainsKey(id);

    /// <summary>Asks, or finds that it is asked; returns the number that the answer will have.</summary>
    /// <param name="wanted">Its request id does not matter.</param>
    public long Ask(ManagerRequest wanted, NodeEffects effects)
    {
        foreach ((long id, ManagerRequest asked) in open)
        {
            if (asked == wanted with { RequestId = id })
            {
                return id;
            }
        }

        ManagerRequest request = wanted with { RequestId = ++last };
        open.Add(last, request);
        effects.ManagerRequests.Add(request);
        return last;
    }

    /// <summary>The answer is here; null: nobody asked that, or it was answered before.</summary>
    public ManagerRequest? Answered(long id) => open.Remove(id, out ManagerRequest? asked) ? asked : null;
}
