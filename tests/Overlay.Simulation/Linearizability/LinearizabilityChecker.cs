namespace Overlay.Simulation.Linearizability;

/// <summary>
/// Decides whether a concurrent history could have happened one operation at a time: the search of Wing and Gong (1993)
/// with Lowe's memory of configurations seen ("Testing for linearizability", 2017) and a search for each key alone
/// (Herlihy and Wing's locality, 1990).
/// </summary>
/// <remarks>
/// Calls and returns lie in one list by time. An operation may come next if its call stands before the first return left
/// in the list: all that answered earlier have been placed. Placing it takes both its events out; meeting a return
/// first means that the operations placed leave no room for it, and the last one placed is taken back. A set of placed
/// operations with the same state after it was seen before needs no second search.
/// </remarks>
internal static class LinearizabilityChecker
{
    /// <param name="steps">The most steps of the model before the search is given up.</param>
    public static LinearizabilityVerdict Check<TModel, TState, TInput, TOutput>(
        TModel model, IReadOnlyList<Operation<TInput, TOutput>> history, long steps = 20_000_000)
        where TModel : struct, ISequentialModel<TState, TInput, TOutput>
        where TState : IEquatable<TState>
    {
        long left = steps;
        LinearizabilityVerdict undecided = default;
        foreach (IGrouping<int, Operation<TInput, TOutput>> key in history.GroupBy(static o => o.Key).OrderBy(static g => g.Key))
        {
            Search<TModel, TState, TInput, TOutput> search = new(model, [.. key], left);
            LinearizabilityResult result = search.Run();
            left = search.StepsLeft;
            LinearizabilityVerdict verdict = new(result, key.Key, search.Deepest, search.Count, steps - left);
            if (result == LinearizabilityResult.Violated)
            {
                return verdict;
            }

            if (result == LinearizabilityResult.Undecided)
            {
                undecided = verdict;
                left = 0;
            }
        }

        return undecided.Result == LinearizabilityResult.Undecided
            ? undecided
            : new(LinearizabilityResult.Linearizable, 0, history.Count, history.Count, steps - left);
    }

    public static LinearizabilityVerdict CheckRegisters(
        IReadOnlyList<Operation<RegisterInput, RegisterOutput>> history, long steps = 20_000_000) =>
        Check<RegisterModel, long, RegisterInput, RegisterOutput>(default, history, steps);
}
