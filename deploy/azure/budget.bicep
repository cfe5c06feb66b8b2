// A budget of the resource group with alerts by e-mail. It tells, hours late, and stops nothing.
@minLength(1)
param amount string

@minLength(1)
param emails string

// Azure refuses a first month that has passed when the budget is made, and any other one afterwards
// ("Start date of budgets cannot be updated"): so it is a parameter that stays, and not utcNow().
@minLength(10)
@maxLength(10)
param firstMonth string

var contacts = split(emails, ',')

resource budget 'Microsoft.Consumption/budgets@2023-11-01' = {
  name: 'budget-${resourceGroup().name}'
  properties: {
    category: 'Cost'
    amount: int(amount)
    timeGrain: 'Monthly'
    timePeriod: { startDate: firstMonth }
    notifications: {
      halfSpent: {
        enabled: true
        operator: 'GreaterThan'
        threshold: 50
        thresholdType: 'Actual'
        contactEmails: contacts
      }
      allSpent: {
        enabled: true
        operator: 'GreaterThan'
        threshold: 100
        thresholdType: 'Actual'
        contactEmails: contacts
      }
      allForecast: {
        enabled: true
        operator: 'GreaterThan'
        threshold: 100
        thresholdType: 'Forecasted'
        contactEmails: contacts
      }
    }
  }
}
