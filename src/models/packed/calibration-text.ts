// Text for calibration: prose, dialogue, lists, code, figures and several languages, so that most directions of a text model are in use.

export const calibrationText = `The morning train was late again, and the platform had filled with people who no longer looked at the clock. A boy in a yellow coat \
counted the wagons of a freight train: thirty-one, thirty-two, and then a gap where something had been uncoupled. "Is it always like this?" the \
woman beside him asked. "Only when it rains," said the guard, who had heard the question 14 times since 6:45.

What is in the picture? A red car stands at a crossing; two cyclists wait on the left, and a bus (number 207) turns into the side street. At 0:32 the \
car starts to move. Nothing else changes until a dog runs across the road.

Ingredients: 250 g flour, 3 eggs, 1/2 tsp salt, 40 ml oil. Mix, rest for 20 minutes, roll out thin.

function area(width, height) {
  if (width < 0 || height < 0) throw new RangeError('negative size');
  return width * height; // in square metres
}

In 1854 the physician John Snow marked cholera deaths on a map of London and found that they gathered round a single water pump. The handle was removed; \
the argument over why it had worked went on for years. Les enfants jouent dans le jardin pendant que la pluie tombe doucement. Der Zug nach Hamburg \
fährt heute von Gleis 9. El perro duerme al sol. 今日は天気がいいですね。 Привет, как дела?

User: How many people entered the shop between noon and one o'clock?
Assistant: Seven people entered: four of them alone, one couple, and a man with a ladder. Five had left again by 12:50.`;
